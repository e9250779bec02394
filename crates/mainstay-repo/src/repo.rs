//! The handle: each verb lives in its own module.

use std::sync::Arc;

use futures::stream::BoxStream;
use mainstay_core::{Digest, RefPath, Result, Timestamp};
use mainstay_store::Storage;

use crate::blobs::{Blob, Ingest};
use crate::verify::{RepoStats, VerifyLevel, VerifyReport};
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

