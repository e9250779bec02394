//! Blobs: content-defined chunks in packs, found by the plain SHA-256 of the whole.
//!
//! Writing goes chunks and manifests, then packs, then the index; whoever names a blob in the log does
//! so after that. Reading goes the other way round.

pub(crate) mod batches;
mod blob;
pub(crate) mod blocking;
mod chunker;
mod codec;
pub(crate) mod condemned;
pub(crate) mod copy;
pub(crate) mod damage;
pub(crate) mod index;
mod ingest;
mod layout;
pub(crate) mod manifest;
pub(crate) mod object;
pub(crate) mod pack;
pub(crate) mod record;
pub(crate) mod reliance;
pub(crate) mod requests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod weigh;

use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Digest, Error, ErrorKind, Result};
use mainstay_store::{ByteRange, Storage};
use tokio::sync::Semaphore;

pub use self::blob::{Blob, BlobReader};
use self::condemned::CondemnedSource;
pub use self::copy::BlobCheck;
use self::index::{Index, Location};
pub use self::ingest::{Ingest, IngestReport, StoredBlob};
pub use self::layout::{Cut, Layout};
use self::pack::PackId;
use self::record::RecordId;
use self::reliance::Reliance;
pub(crate) use self::requests::open_within;
use crate::metrics::Told;
use crate::options::PACK_BYTES;

/// How many blobs of one repository are stored at a time. Each holds a blocking thread, of which the
/// storage must find some too.
const PUTS: usize = 256;

/// About as many as an index object of 16 MiB has.
const INDEX_RECORDS: usize = 300_000;

/// The blobs of a repository. Cheap to clone; clones share the index.
#[derive(Debug, Clone)]
pub(crate) struct BlobStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    storage: Arc<dyn Storage>,
    index: Index,
    puts: Semaphore,
    reliance: Reliance,
    told: Option<Told>,
    /// A session makes known what it has stored when it is so many records.
    index_records: usize,
    /// How large packs become.
    pack_bytes: usize,
}

impl BlobStore {
    /// Creates a handle without I/O.
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        let index = Index::new(Arc::clone(&storage));
        Self::with_index(storage, index)
    }

    /// Creates a handle without I/O, which tells what is stored and read, and makes packs of this size.
    pub(crate) fn told(storage: Arc<dyn Storage>, told: Told, pack_bytes: usize) -> Self {
        let index = Index::new(Arc::clone(&storage));
        Self::of(storage, index, (Some(told), pack_bytes))
    }

    /// Creates a handle whose index has been loaded.
    pub(crate) fn with_index(storage: Arc<dyn Storage>, index: Index) -> Self {
        Self::of(storage, index, (None, PACK_BYTES))
    }

    fn of(
        storage: Arc<dyn Storage>,
        index: Index,
        (told, pack_bytes): (Option<Told>, usize),
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                index,
                storage,
                puts: Semaphore::new(PUTS),
                reliance: Reliance::default(),
                told,
                index_records: INDEX_RECORDS,
                pack_bytes,
            }),
        }
    }

    /// Creates a handle whose sessions make known what they stored every so many records, and merge so
    /// many index objects.
    #[cfg(test)]
    pub(crate) fn eager(storage: Arc<dyn Storage>, index_records: usize, fan_in: usize) -> Self {
        let index = Index::with_fan_in(Arc::clone(&storage), fan_in);
        Self {
            shared: Arc::new(Shared {
                index,
                storage,
                puts: Semaphore::new(PUTS),
                reliance: Reliance::default(),
                told: None,
                index_records,
                pack_bytes: PACK_BYTES,
            }),
        }
    }

    /// Begins to store blobs in a repository of which nothing has been collected.
    #[cfg(test)]
    pub(crate) fn ingest(&self) -> Ingest {
        Ingest::new(Arc::clone(&self.shared), None)
    }

    /// Begins to store blobs; `condemned` tells on what they must not rely.
    pub(crate) fn ingest_beside(&self, condemned: CondemnedSource) -> Ingest {
        Ingest::new(Arc::clone(&self.shared), Some(condemned))
    }

    /// Finds a blob by its SHA-256.
    pub(crate) async fn find(&self, digest: &Digest) -> Result<Option<Blob>> {
        Blob::find(&self.shared, digest, Vec::new()).await
    }
}

impl Shared {
    /// Reads a record whole and checks it; `None` when no index knows it.
    async fn record(&self, id: &RecordId) -> Result<Option<Bytes>> {
        match self.read(id, &[]).await? {
            Some((_, read)) => read.map(Some),
            None => Ok(None),
        }
    }

    /// As [`record`](Self::record), from any pack but some; tells also in which pack it is, or is
    /// missing or damaged.
    async fn read(
        &self,
        id: &RecordId,
        passed: &[PackId],
    ) -> Result<Option<(PackId, Result<Bytes>)>> {
        self.index.find(id).await?;
        let Some(mut location) = self.index.get_besides(id, passed) else {
            return Ok(None);
        };
        loop {
            let error = match self.record_at(&location).await {
                Err(error) if error.kind() == ErrorKind::Corrupt => error,
                read => return Ok(Some((location.pack, read))),
            };
            self.look_again([location.pack]).await?;
            match self.index.get_besides(id, passed) {
                None => return Ok(None),
                Some(moved) if moved != location => location = moved,
                Some(_) => return Ok(Some((location.pack, Err(error)))),
            }
        }
    }

    /// Learns where records lie now whose packs could not be read: these may have been collected since
    /// the index was read, and again while it was read.
    async fn look_again(&self, packs: impl IntoIterator<Item = PackId>) -> Result<()> {
        let mut lost = Vec::new();
        for pack in packs {
            let range = ByteRange::Offsets(0..0);
            if self.storage.get(&pack.key()?, range).await?.is_none() {
                lost.push(pack);
            }
        }
        self.index.lose(&lost).await
    }

    async fn record_at(&self, location: &Location) -> Result<Bytes> {
        let id = location.entry.header.id;
        let start = u64::from(location.entry.offset);
        let key = location.pack.key()?;
        let object = self
            .storage
            .get(&key, ByteRange::Offsets(start..location.entry.end()))
            .await?
            .ok_or_else(|| Error::corrupt(&key, "missing pack").context("record", id))?;
        open_within(location.pack, &location.entry, &object.bytes, start)
    }
}
