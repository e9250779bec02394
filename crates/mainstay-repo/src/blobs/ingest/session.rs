//! What a session has stored so far: packs being filled, packs on their way, and their index.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use mainstay_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use super::IngestReport;
use crate::blobs::codec::Compressor;
use crate::blobs::index::{self, IndexObject, PackRef};
use crate::blobs::pack::{PackBuilder, Sealed};
use crate::blobs::record::{Entry, Kind, RecordId};
use crate::blobs::{Shared, object};

/// How many finished packs are held in memory while they are written.
const WRITES: usize = 2;
/// An index object is not made larger; it is read whole.
const MAX_INDEX_BYTES: usize = 16 * 1024 * 1024;

/// The writing end of a repository's blobs. Its methods other than `finish` block.
pub(super) struct Session {
    shared: Arc<Shared>,
    runtime: Handle,
    compressor: Compressor,
    chunks: PackBuilder,
    metadata: PackBuilder,
    /// Records of this session that the index does not know yet.
    added: HashSet<RecordId>,
    packs: Vec<(PackRef, Vec<Entry>)>,
    writes: JoinSet<Result<u64>>,
    write_slots: Arc<Semaphore>,
    failed: bool,
    pub(super) report: IngestReport,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, runtime: Handle) -> Result<Self> {
        let limit = usize::try_from(shared.storage.capabilities().max_object_bytes);
        let limit = limit.unwrap_or(usize::MAX);
        Ok(Self {
            runtime,
            compressor: Compressor::new()?,
            chunks: PackBuilder::new(limit),
            metadata: PackBuilder::new(limit),
            added: HashSet::new(),
            packs: Vec::new(),
            writes: JoinSet::new(),
            write_slots: Arc::new(Semaphore::new(WRITES)),
            failed: false,
            report: IngestReport::default(),
            shared,
        })
    }

    /// Reports whether the storage failed; then nothing more can be stored.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Reports whether the repository or this session holds a record.
    pub(super) fn holds(&self, id: &RecordId) -> bool {
        self.added.contains(id) || self.shared.index.get(id).is_some()
    }

    /// Stores a record unless it is held; returns whether it was new.
    pub(super) fn add(&mut self, id: RecordId, bytes: &[u8]) -> Result<bool> {
        if self.holds(&id) {
            return Ok(false);
        }
        let (codec, stored) = self.compressor.compress(bytes);
        let pack = match id.kind {
            Kind::Chunk => &mut self.chunks,
            Kind::Manifest | Kind::List => &mut self.metadata,
        };
        if !pack.fits(stored.len())
            && let Some(sealed) = pack.seal()?
        {
            let slots = Arc::clone(&self.write_slots);
            let slot = self.runtime.block_on(slots.acquire_owned());
            let slot = slot.map_err(|_| Error::new(ErrorKind::Internal, "write slots closed"))?;
            self.packs.push(start_write(
                &mut self.writes,
                &self.shared,
                &self.runtime,
                sealed,
                slot,
            ));
            while let Some(written) = self.writes.try_join_next() {
                count_write(&mut self.report, &mut self.failed, written)?;
            }
        }
        pack.append(id, codec, stored, bytes.len())?;
        self.added.insert(id);
        Ok(true)
    }

    /// Writes what is left, then the index.
    pub(super) async fn finish(mut self: Box<Self>) -> Result<IngestReport> {
        for sealed in [self.chunks.seal()?, self.metadata.seal()?] {
            let Some(sealed) = sealed else { continue };
            let slots = Arc::clone(&self.write_slots);
            let slot = slots.acquire_owned().await;
            let slot = slot.map_err(|_| Error::new(ErrorKind::Internal, "write slots closed"))?;
            self.packs.push(start_write(
                &mut self.writes,
                &self.shared,
                &self.runtime,
                sealed,
                slot,
            ));
        }
        while let Some(written) = self.writes.join_next().await {
            count_write(&mut self.report, &mut self.failed, written)?;
        }
        let limit = usize::try_from(self.shared.storage.capabilities().max_object_bytes)
            .map_or(MAX_INDEX_BYTES, |limit| limit.min(MAX_INDEX_BYTES));
        let mut packs = std::mem::take(&mut self.packs).into_iter().peekable();
        while packs.peek().is_some() {
            let mut group: Vec<(PackRef, Vec<Entry>)> = Vec::new();
            let mut records = 0;
            while let Some(next) = packs.next_if(|(_, entries)| {
                group.is_empty()
                    || IndexObject::encoded_len(group.len() + 1, records + entries.len()) <= limit
            }) {
                records += next.1.len();
                group.push(next);
            }
            self.write_index(IndexObject::of(group)).await?;
        }
        Ok(self.report)
    }

    async fn write_index(&mut self, object: IndexObject) -> Result<()> {
        let bytes = object.encode();
        let hash = *blake3::hash(&bytes).as_bytes();
        let key = index::key(hash)?;
        self.report.stored_bytes += object::put(&*self.shared.storage, &key, bytes.into()).await?;
        self.shared.index.insert(hash, object);
        Ok(())
    }
}

/// Begins to write a pack; `slot` is held until it is written.
fn start_write(
    writes: &mut JoinSet<Result<u64>>,
    shared: &Arc<Shared>,
    runtime: &Handle,
    sealed: Sealed,
    slot: tokio::sync::OwnedSemaphorePermit,
) -> (PackRef, Vec<Entry>) {
    let pack = PackRef {
        id: sealed.id,
        size: sealed.bytes.len() as u64,
    };
    let (shared, bytes) = (Arc::clone(shared), sealed.bytes);
    let write = async move {
        let written = object::put(&*shared.storage, &pack.id.key()?, bytes).await;
        drop(slot);
        written
    };
    writes.spawn_on(write, runtime);
    (pack, sealed.entries)
}

fn count_write(
    report: &mut IngestReport,
    failed: &mut bool,
    written: Result<Result<u64>, JoinError>,
) -> Result<()> {
    let written = written.map_err(|error| {
        Error::new(ErrorKind::Internal, "writing a pack was interrupted").with_source(error)
    });
    match written.flatten() {
        Ok(bytes) => {
            report.stored_bytes += bytes;
            Ok(())
        }
        Err(error) => {
            *failed = true;
            Err(error)
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
