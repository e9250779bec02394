//! Writing records again, into new packs.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use mainstay_core::{Error, Result};
use mainstay_store::{Storage, StorageExt as _};

use super::pointers::Contents;
use crate::blobs::condemned::Condemned;
use crate::blobs::index::PackRef;
use crate::blobs::object;
use crate::blobs::pack::{PackBuilder, PackId};
use crate::blobs::record::{Entry, Header, Kind};
use crate::blobs::{blocking, open_within};
use crate::telling::Telling;

/// As large as ingest makes them.
const PACK_BYTES: usize = 16 * 1024 * 1024;

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
    pub(crate) fn new(storage: &'a dyn Storage, condemned: &'a Condemned) -> Self {
        let largest = usize::try_from(storage.capabilities().max_object_bytes);
        let limit = largest.unwrap_or(usize::MAX).min(PACK_BYTES);
        Self {
            storage,
            condemned,
            chunks: Box::new(PackBuilder::new(limit)),
            metadata: Box::new(PackBuilder::new(limit)),
            contents: Contents::new(),
            written_bytes: 0,
        }
    }

    /// Writes again what is used of packs; each record is checked.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a record is damaged.
    pub(crate) async fn packs(
        &mut self,
        used: &BTreeMap<PackId, Vec<Entry>>,
        telling: &Telling,
    ) -> Result<()> {
        telling.expect("packs", used.len());
        for (pack, entries) in used {
            let key = pack.key()?;
            let whole = self.storage.get_all(&key).await?;
            let whole = whole.ok_or_else(|| Error::corrupt(&key, "missing pack"))?;
            for entry in entries {
                self.record(*pack, entry, &whole).await?;
            }
            telling.add("bytes", whole.len());
            telling.add("packs", 1);
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
        let start = entry.offset as usize + Header::LEN;
        let end = usize::try_from(entry.end()).unwrap_or(usize::MAX);
        let stored = whole.slice(start..end);
        let header = entry.header;
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
