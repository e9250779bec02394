//! What a session has stored so far: packs being filled, packs being written, and their index.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Digest, Error, ErrorKind, Progress, Result};
use tokio::runtime::Handle;

use super::IngestReport;
use super::writes::{Indexed, Writes};
use crate::blobs::codec::Compressor;
use crate::blobs::condemned::{Condemned, CondemnedSource};
use crate::blobs::index::{self, INDEX_BYTES, IndexObject};
use crate::blobs::pack::{PackBuilder, PackId};
use crate::blobs::record::{Kind, RecordId};
use crate::blobs::{Shared, object};

/// The writing end of a repository's blobs.
pub(super) struct Session {
    shared: Arc<Shared>,
    condemned: Arc<Condemned>,
    source: Option<CondemnedSource>,
    /// Packs of others that hold what this session did not store again, and its own.
    relied_on: HashSet<PackId>,
    /// Blobs whose every part this session has seen in packs that are not condemned.
    vouched: Vec<Digest>,
    compressor: Compressor,
    chunks: PackBuilder,
    metadata: PackBuilder,
    /// Records of this session, which the index does not know yet.
    added: HashSet<RecordId>,
    /// When there are so many of them they are made known.
    index_records: usize,
    writes: Writes,
    failed: bool,
    progress: Option<Arc<dyn Progress>>,
    /// Bytes cut so far.
    cut_bytes: u64,
    pub(super) report: IngestReport,
}

impl Session {
    pub(super) fn new(
        shared: Arc<Shared>,
        (condemned, source): (Arc<Condemned>, Option<CondemnedSource>),
        runtime: Handle,
        progress: Option<Arc<dyn Progress>>,
    ) -> Result<Self> {
        let limit = object::limit(&*shared.storage, shared.pack_bytes);
        let storage = Arc::clone(&shared.storage);
        let writes = Writes::new(storage, Arc::clone(&condemned), runtime);
        Ok(Self {
            condemned,
            source,
            relied_on: HashSet::new(),
            vouched: Vec::new(),
            compressor: Compressor::new()?,
            chunks: PackBuilder::new(limit),
            metadata: PackBuilder::new(limit),
            added: HashSet::new(),
            index_records: shared.index_records,
            writes,
            failed: false,
            progress,
            cut_bytes: 0,
            report: IngestReport::default(),
            shared,
        })
    }

    /// Reports whether the storage failed; then nothing more can be stored.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Ends the session.
    pub(super) fn fail(&mut self) {
        self.failed = true;
    }

    /// Tells of bytes that are on their way into packs.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.cut_bytes += bytes as u64;
        if let Some(progress) = &self.progress {
            progress.advance("bytes", self.cut_bytes, None);
        }
    }

    /// Tells of anything else.
    pub(super) fn count(&self, unit: &'static str, done: u64, total: u64) {
        if let Some(progress) = &self.progress {
            progress.advance(unit, done, Some(total));
        }
    }

    /// Reports whether the repository or this session holds a record that may be relied on.
    pub(super) fn holds(&mut self, id: &RecordId) -> bool {
        if self.added.contains(id) {
            return true;
        }
        let pack = self.shared.index.sound_pack(id);
        self.relied_on.extend(pack);
        pack.is_some()
    }

    /// Makes sure that no collection condemned meanwhile what the session relies on or wrote itself: what
    /// it made known would be blobs with parts missing.
    fn check_relied_on(&self) -> Result<()> {
        let Some(source) = &self.source else {
            return Ok(());
        };
        let now = self.writes.wait(source.ask())?;
        if now.run > self.condemned.run && self.relied_on.iter().any(|pack| now.contains(pack)) {
            let why = "a collection condemned what was stored before; store it again";
            return Err(Error::new(ErrorKind::Conflict, why));
        }
        Ok(())
    }

    /// Takes note of a blob of which the session has put every part, or found it held.
    pub(super) fn vouch(&mut self, digest: Digest) {
        if self.condemned.run > 0 {
            self.vouched.push(digest);
        }
    }

    /// Stores a record unless it is held; returns whether it was new. Blocks while packs are written.
    pub(super) fn add(&mut self, id: RecordId, bytes: &[u8]) -> Result<bool> {
        if self.holds(&id) {
            return Ok(false);
        }
        let (codec, stored) = self.compressor.compress(bytes);
        let pack = match id.kind {
            Kind::Chunk => &mut self.chunks,
            Kind::Manifest | Kind::List => &mut self.metadata,
        };
        if !pack.fits(stored.len()) {
            let buffer = self.writes.buffer();
            self.failed |= buffer.is_err();
            self.writes.start(vec![pack.take(buffer?)]);
        }
        pack.append(id, codec, stored, bytes.len())?;
        self.added.insert(id);
        if self.added.len() >= self.index_records {
            let spilled = self.spill();
            self.failed |= spilled.is_err();
            spilled?;
        }
        Ok(true)
    }

    /// Makes known what has been written so far, so that it need not be kept. Blocks.
    fn spill(&mut self) -> Result<()> {
        self.write_indexes()?;
        // What is still being packed is in no index.
        self.added = [&self.chunks, &self.metadata]
            .into_iter()
            .flat_map(PackBuilder::records)
            .collect();
        Ok(())
    }

    /// Writes what is left, then the index. Blocks.
    pub(super) fn finish(mut self) -> Result<IngestReport> {
        let mut last = Vec::new();
        for pack in [&mut self.chunks, &mut self.metadata] {
            if !pack.is_empty() {
                last.push(pack.take(self.writes.buffer()?));
            }
        }
        self.writes.start(last);
        if self.write_indexes()? {
            self.merge_indexes();
        }
        self.report.requests = self.writes.requests();
        let vouched = std::mem::take(&mut self.vouched);
        self.shared.reliance.vouch(self.condemned.run, vouched);
        Ok(self.report)
    }

    /// Waits for the packs, then writes their index; returns whether there were any.
    fn write_indexes(&mut self) -> Result<bool> {
        let written = self.writes.finish()?;
        self.report.stored_bytes += written.bytes;
        if written.packs.is_empty() {
            return Ok(false);
        }
        self.relied_on
            .extend(written.packs.iter().map(|(pack, _)| pack.id));
        self.check_relied_on()?;
        let limit = object::limit(&*self.shared.storage, INDEX_BYTES);
        for packs in grouped(written.packs, limit) {
            self.write_index(&IndexObject::of(packs))?;
        }
        Ok(true)
    }

    fn write_index(&mut self, object: &IndexObject) -> Result<()> {
        let bytes = Bytes::from(object.encode());
        let name = *blake3::hash(&bytes).as_bytes();
        let key = index::key(name)?;
        let (storage, content) = (self.writes.storage(), bytes.clone());
        let write = async move { object::put(&*storage, &key, content).await };
        self.report.stored_bytes += self.writes.wait(write)?;
        self.shared.index.add(name, &bytes, bytes.len() as u64)
    }

    /// Merges index objects. The session has stored everything before, so a failure changes nothing.
    fn merge_indexes(&mut self) {
        let shared = Arc::clone(&self.shared);
        let merge = async move { shared.index.merge().await };
        match self.writes.wait(merge) {
            Ok(written) => self.report.stored_bytes += written,
            Err(error) => tracing::warn!(%error, "index objects are not merged"),
        }
    }
}

/// Splits packs into groups whose index objects stay below `limit` bytes, if a single pack's does.
fn grouped(packs: Vec<Indexed>, limit: usize) -> Vec<Vec<Indexed>> {
    let mut groups: Vec<Vec<Indexed>> = Vec::new();
    let mut records = 0;
    for pack in packs {
        records += pack.1.len();
        match groups.last_mut() {
            Some(group) if IndexObject::encoded_len(group.len() + 1, records) <= limit => {
                group.push(pack);
            }
            _ => {
                records = pack.1.len();
                groups.push(vec![pack]);
            }
        }
    }
    groups
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
