//! Blobs: content-defined chunks in packs, found by the plain SHA-256 of the whole.
//!
//! Writing goes chunks and manifests, then packs, then the index; whoever names a blob in the log does
//! so after that. Reading goes the other way round.

mod blob;
pub(crate) mod blocking;
mod chunker;
mod codec;
pub(crate) mod damage;
pub(crate) mod index;
mod ingest;
mod layout;
pub(crate) mod manifest;
pub(crate) mod object;
pub(crate) mod pack;
pub(crate) mod record;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Digest, Error, Result};
use mainstay_store::{ByteRange, Storage, StorageExt as _};
use tokio::sync::Semaphore;

pub use self::blob::{Blob, BlobReader};
use self::index::Index;
pub use self::ingest::{Ingest, IngestReport, StoredBlob};
pub use self::layout::{Cut, Layout};
use self::manifest::Manifest;
use self::record::RecordId;

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
    /// A session makes known what it has stored when it is so many records.
    index_records: usize,
}

impl BlobStore {
    /// Creates a handle without I/O.
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        let index = Index::new(Arc::clone(&storage));
        Self::with_index(storage, index)
    }

    /// Creates a handle whose index has been loaded.
    pub(crate) fn with_index(storage: Arc<dyn Storage>, index: Index) -> Self {
        Self {
            shared: Arc::new(Shared {
                index,
                storage,
                puts: Semaphore::new(PUTS),
                index_records: INDEX_RECORDS,
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
                index_records,
            }),
        }
    }

    /// Begins to store blobs.
    pub(crate) fn ingest(&self) -> Ingest {
        Ingest::new(Arc::clone(&self.shared))
    }

    /// Reports whether a blob is stored, from the index alone.
    pub(crate) async fn contains(&self, digest: &Digest) -> Result<bool> {
        let location = self.shared.index.find(&RecordId::manifest(digest)).await?;
        Ok(location.is_some())
    }

    /// Adds up the sizes of all blobs. Reads their manifests, pack by pack.
    pub(crate) async fn logical_bytes(&self) -> Result<u64> {
        self.shared.index.refresh().await?;
        let mut total = 0;
        for (pack, entries) in self.shared.index.manifests() {
            let key = pack.key()?;
            let fetched = self.shared.storage.get_all(&key).await?;
            let fetched = fetched.ok_or_else(|| Error::corrupt(&key, "missing pack"))?;
            for entry in entries {
                let digest = Digest::from_bytes(entry.header.id.hash);
                let bytes = blob::fetch::open_within(pack, &entry, &fetched, 0)?;
                let manifest = Manifest::decode(&bytes, &digest);
                total += manifest.map_err(|damage| damage.of(entry.header.id))?.size;
            }
        }
        Ok(total)
    }

    /// Finds a blob by its SHA-256.
    pub(crate) async fn find(&self, digest: &Digest) -> Result<Option<Blob>> {
        let id = RecordId::manifest(digest);
        let Some(bytes) = self.shared.record(&id).await? else {
            return Ok(None);
        };
        let manifest = Manifest::decode(&bytes, digest).map_err(|damage| damage.of(id))?;
        Ok(Some(Blob::new(Arc::clone(&self.shared), manifest)))
    }
}

impl Shared {
    /// Reads a record whole and checks it; `None` when no index knows it.
    async fn record(&self, id: &RecordId) -> Result<Option<Bytes>> {
        let Some(location) = self.index.find(id).await? else {
            return Ok(None);
        };
        let start = u64::from(location.entry.offset);
        let key = location.pack.key()?;
        let object = self
            .storage
            .get(&key, ByteRange::Offsets(start..location.entry.end()))
            .await?
            .ok_or_else(|| Error::corrupt(&key, "missing pack").context("record", id))?;
        blob::fetch::open_within(location.pack, &location.entry, &object.bytes, start).map(Some)
    }
}
