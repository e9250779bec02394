//! Writing records again, into new packs.

use std::iter;

use bytes::{Bytes, BytesMut};
use mainstay_core::{Result, Telling};
use mainstay_store::Storage;

use super::pointers::Contents;
use crate::blobs::condemned::Condemned;
use crate::blobs::index::PackRef;
use crate::blobs::object;
use crate::blobs::pack::{PackBuilder, PackId};
use crate::blobs::record::{Entry, Header, Kind};
use crate::blobs::requests::{GAP_BYTES, Requests};
use crate::blobs::{blocking, open_within};

/// How much is read before it is written.
const WINDOW_BYTES: u64 = 64 * 1024 * 1024;

/// Packs being filled.
#[derive(Debug)]
pub(crate) struct Repack<'a> {
    storage: &'a dyn Storage,
    condemned: &'a Condemned,
    chunks: Box<PackBuilder>,
    metadata: Box<PackBuilder>,
    /// What was written.
    contents: Contents,
    written_bytes: u64,
}

impl<'a> Repack<'a> {
    /// Begins to write packs of `pack_bytes` at most.
    pub(crate) fn new(
        storage: &'a dyn Storage,
        condemned: &'a Condemned,
        pack_bytes: usize,
    ) -> Self {
        let limit = object::limit(storage, pack_bytes);
        Self {
            storage,
            condemned,
            chunks: Box::new(PackBuilder::new(limit)),
            metadata: Box::new(PackBuilder::new(limit)),
            contents: Contents::new(),
            written_bytes: 0,
        }
    }

    /// Writes records again, in the order given; each is checked.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a record is damaged.
    pub(crate) async fn records(
        &mut self,
        records: &[(PackId, Entry)],
        telling: &Telling,
    ) -> Result<()> {
        telling.expect("records", records.len() as u64);
        for window in windows(records) {
            let requests = Requests::to(window);
            let read = requests.run(self.storage).await?;
            telling.add("bytes", read.iter().map(|bytes| bytes.len() as u64).sum());
            let window = window.to_vec();
            let stored = blocking::run(move || checked(&requests, &read, &window)).await??;
            for (entry, stored) in stored {
                self.append(&entry, &stored).await?;
                telling.add("records", 1);
            }
        }
        Ok(())
    }

    /// Writes again a record of a pack that has been read whole.
    pub(crate) async fn record(
        &mut self,
        pack: PackId,
        entry: &Entry,
        whole: &Bytes,
    ) -> Result<()> {
        let (checked, bytes) = (*entry, whole.clone());
        blocking::run(move || open_within(pack, &checked, &bytes, 0).map(drop)).await??;
        let end = usize::try_from(entry.end()).unwrap_or(usize::MAX);
        self.append(entry, &whole.slice(entry.offset as usize..end))
            .await
    }

    /// Puts a record, as it is stored, into a pack.
    async fn append(&mut self, entry: &Entry, record: &Bytes) -> Result<()> {
        let (header, stored) = (entry.header, record.slice(Header::LEN..));
        if !self.builder(header.id.kind).fits(stored.len()) {
            self.write(header.id.kind).await?;
        }
        let builder = self.builder(header.id.kind);
        builder.append(header.id, header.codec, &stored, header.len as usize)
    }

    /// Writes what is left; returns what the new packs hold, for the index, and their bytes.
    pub(crate) async fn finish(mut self) -> Result<(Contents, u64)> {
        for kind in [Kind::Chunk, Kind::Manifest] {
            if !self.builder(kind).is_empty() {
                self.write(kind).await?;
            }
        }
        Ok((self.contents, self.written_bytes))
    }

    /// The pack that records of a kind go to.
    fn builder(&mut self, kind: Kind) -> &mut PackBuilder {
        match kind {
            Kind::Chunk => &mut self.chunks,
            Kind::Manifest | Kind::List => &mut self.metadata,
        }
    }

    async fn write(&mut self, kind: Kind) -> Result<()> {
        let condemned = self.condemned;
        let sealed = self.builder(kind).seal_beside(condemned, BytesMut::new())?;
        let pack = PackRef {
            id: sealed.id,
            size: sealed.bytes.len() as u64,
        };
        let key = sealed.id.key()?;
        self.written_bytes += object::put(self.storage, &key, sealed.bytes).await?;
        self.contents.insert(pack, sealed.entries);
        Ok(())
    }
}

/// Divides records into such as are read at a time.
fn windows(records: &[(PackId, Entry)]) -> impl Iterator<Item = &[(PackId, Entry)]> {
    let mut rest = records;
    iter::from_fn(move || {
        let mut bytes = 0;
        let count = rest.iter().take_while(|(_, entry)| {
            // What lies between two of them may be read as well.
            bytes += entry.header.record_len() + GAP_BYTES;
            bytes <= WINDOW_BYTES
        });
        let (window, behind) = rest.split_at(count.count().max(1).min(rest.len()));
        rest = behind;
        (!window.is_empty()).then_some(window)
    })
}

/// Checks records that have been read; returns them as they are stored.
fn checked(
    requests: &Requests,
    read: &[Bytes],
    window: &[(PackId, Entry)],
) -> Result<Vec<(Entry, Bytes)>> {
    let check = |(at, (_, entry)): (usize, &(PackId, Entry))| {
        requests.open(read, at, entry)?;
        Ok((*entry, requests.stored(read, at, entry)?))
    };
    window.iter().enumerate().map(check).collect()
}
