//! The handle: each verb lives in its own module.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Digest, RefPath, Result, Timestamp};
use mainstay_store::Storage;

use crate::{CommitOutcome, Committed, LogEntry, RefChange, RepoOptions, Transaction, View};

/// A repository on a storage. Cheap to clone; clones share their caches.
#[derive(Debug, Clone)]
pub struct Repo {}

/// What the closure of [`Repo::transact`] decided on the view it was given.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a closure either changes something or not"
)]
pub enum Step<T> {
    /// Commit these changes on exactly this view, then return the value.
    Commit(Transaction, T),
    /// Nothing needs to change; return the value.
    Done(T),
}

impl Repo {
    /// Creates a repository, or opens the one that is there.
    pub async fn create(storage: Arc<dyn Storage>, options: RepoOptions) -> Result<Self> {
        todo!()
    }
    /// Opens a repository. NotFound when there is none, Incompatible when a newer one wrote it.
    pub async fn open(storage: Arc<dyn Storage>, options: RepoOptions) -> Result<Self> {
        todo!()
    }

    /// Returns the newest view, probing the storage for entries of other processes.
    pub async fn view(&self) -> Result<View> {
        todo!()
    }
    /// Returns the newest view this process knows, without I/O.
    pub fn cached_view(&self) -> View {
        todo!()
    }
    /// Returns the view as of a log entry (0 = before the first).
    pub async fn view_at(&self, seq: u64) -> Result<View> {
        todo!()
    }
    /// Returns the view as of a time: the last entry whose time is not after it.
    pub async fn view_as_of(&self, time: Timestamp) -> Result<View> {
        todo!()
    }

    /// Commits.
    pub async fn commit(&self, transaction: Transaction) -> Result<CommitOutcome> {
        todo!()
    }
    /// Builds a transaction on the newest view and commits it on exactly that view; rebuilds when
    /// another commit came first. So everything the closure read still holds when it commits.
    /// The `Committed` is `None` when the closure said `Done`.
    /// # Errors: Conflict after the attempts run out or an expectation fails on the view itself
    pub async fn transact<T: Send>(
        &self,
        build: impl FnMut(&View) -> Result<Step<T>> + Send,
    ) -> Result<(Option<Committed>, T)> {
        todo!()
    }

    /// Walks a ref's changes, newest first.
    pub fn history(&self, path: &RefPath) -> BoxStream<'static, Result<RefChange>> {
        todo!()
    }
    /// Reads the log after `seq`, oldest first, up to the head: the change feed. Resume with the last seq seen.
    pub fn entries(&self, after: u64) -> BoxStream<'static, Result<LogEntry>> {
        todo!()
    }
    /// Reads the log backwards from the head.
    pub fn entries_back(&self) -> BoxStream<'static, Result<LogEntry>> {
        todo!()
    }

    /// Begins to store blobs; they are durable and may be committed after `Ingest::finish`.
    pub fn ingest(&self) -> Ingest {
        todo!()
    }
    /// Finds a blob by its SHA-256.
    pub async fn blob(&self, digest: &Digest) -> Result<Option<Blob>> {
        todo!()
    }

    /// Checks the repository and reports every fault found.
    pub async fn verify(&self, level: VerifyLevel) -> Result<VerifyReport> {
        todo!()
    }
    /// Counts what is stored.
    pub async fn stats(&self) -> Result<RepoStats> {
        todo!()
    }
}

/// A session that stores blobs.
#[derive(Debug)]
pub struct Ingest {}

impl Ingest {
    /// Stores bytes.
    pub async fn bytes(&mut self, bytes: Bytes) -> Result<StoredBlob> {
        todo!()
    }
    /// Stores a file's bytes, streaming.
    pub async fn file(&mut self, path: &Path) -> Result<StoredBlob> {
        todo!()
    }
    /// Stores a stream.
    pub async fn stream(&mut self, stream: BoxStream<'_, Result<Bytes>>) -> Result<StoredBlob> {
        todo!()
    }
    /// Makes everything durable and findable.
    pub async fn finish(self) -> Result<IngestReport> {
        todo!()
    }
}

/// A blob that has been put into a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredBlob {
    /// The plain SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// How many of its bytes were not in the repository before.
    pub new_bytes: u64,
}

/// What a session stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IngestReport {
    /// Blobs put in.
    pub blobs: u64,
    /// Their bytes.
    pub logical_bytes: u64,
    /// How many of those were new.
    pub new_bytes: u64,
    /// How many bytes were written to the storage.
    pub stored_bytes: u64,
}

/// A stored blob; every read is verified.
#[derive(Debug, Clone)]
pub struct Blob {}

impl Blob {
    /// Its SHA-256.
    pub fn digest(&self) -> Digest {
        todo!()
    }
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        todo!()
    }
    /// Reads all of it into memory.
    pub async fn bytes(&self) -> Result<Bytes> {
        todo!()
    }
    /// Reads a range, cut to the blob.
    pub async fn range(&self, range: std::ops::Range<u64>) -> Result<Bytes> {
        todo!()
    }
    /// Streams it.
    pub fn stream(&self) -> BoxStream<'static, Result<Bytes>> {
        todo!()
    }
    /// Writes it to a file, replacing `path` atomically.
    pub async fn export(&self, path: &Path) -> Result<()> {
        todo!()
    }
}

/// How hard to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyLevel {
    /// Log, checkpoints, and that every blob named is findable and its parts exist with right sizes.
    Quick,
    /// And every byte of every pack and blob.
    Full,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Objects and blobs looked at.
    pub checked: u64,
    /// Everything that is wrong.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Fault {
    /// The object: a storage key, or `blob sha256:…`.
    pub object: String,
    /// What kind of fault: `missing`, `corrupt`, `dangling`, `unknown` ….
    pub kind: &'static str,
    /// What exactly.
    pub detail: String,
}

/// What is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct RepoStats {
    /// Bytes in the storage.
    pub stored_bytes: u64,
    /// Bytes of all distinct blobs.
    pub logical_bytes: u64,
    /// Objects in the storage.
    pub objects: u64,
    /// Entries in the log.
    pub log_entries: u64,
    /// The newest entry.
    pub head: u64,
}
