//! What to replicate, and what came of it.

use std::sync::Arc;

use mainstay_core::{Progress, WriteId};
use serde::Serialize;

use crate::BlobCheck;
use crate::blobs::copy::SESSION_BYTES;
use crate::log::entry::MAX_CHANGES;

/// What to replicate, and where to.
///
/// ```
/// use mainstay_repo::ReplicateOptions;
///
/// // Two models and what they were trained on, as `mirror/acme/model/…` and so on.
/// let options = ReplicateOptions::default()
///     .with_refs(["model/fraud", "model/churn", "data/payments"])
///     .with_namespace("mirror/acme");
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReplicateOptions {
    /// The refs at and below these paths; all when there are none, which is the default.
    ///
    /// What is of one repository, below `gc/`, `lease/`, `replica/` and `tally/`, is never replicated.
    pub refs: Vec<String>,
    /// Below which namespace of the source the refs are, without which they are named in the target;
    /// none by default. So a mirror becomes a repository again.
    pub source_namespace: String,
    /// What is put before the refs in the target; nothing by default.
    pub namespace: String,
    /// Why; the log of the target records it where an entry is of the replication alone.
    pub reason: String,
    /// How far blobs are checked.
    pub check: BlobCheck,
    /// Is told how many `entries` of the source's log have been gone through, and how many `bytes` have
    /// been read.
    pub progress: Option<Arc<dyn Progress>>,
    pub(super) limits: Limits,
}

/// Figures that tests make small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// What has been copied is made known when it is about so much.
    pub(super) session_bytes: u64,
    /// How many changes an entry has room for.
    pub(super) changes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            session_bytes: SESSION_BYTES,
            changes: MAX_CHANGES,
        }
    }
}

impl ReplicateOptions {
    /// Sets which refs are replicated.
    #[must_use]
    pub fn with_refs<T: Into<String>>(mut self, refs: impl IntoIterator<Item = T>) -> Self {
        self.refs = refs.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the namespace of the source that is left out in the target.
    #[must_use]
    pub fn with_source_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.source_namespace = namespace.into();
        self
    }

    /// Sets the namespace in the target.
    #[must_use]
    pub fn with_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets the reason.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }

    /// Sets how far blobs are checked.
    #[must_use]
    pub fn with_check(mut self, check: BlobCheck) -> Self {
        self.check = check;
        self
    }

    /// Sets who is told how far it is.
    #[must_use]
    pub fn with_progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Makes known what has been copied every so many bytes.
    #[cfg(test)]
    pub(super) fn with_session_bytes(mut self, bytes: u64) -> Self {
        self.limits.session_bytes = bytes;
        self
    }

    /// Takes an entry to have room for so many changes.
    #[cfg(test)]
    pub(super) fn with_room_for(mut self, changes: usize) -> Self {
        self.limits.changes = changes;
        self
    }
}

/// What a replication did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReplicateReport {
    /// The id of the source.
    pub source: WriteId,
    /// Everything selected up to this entry of the source's log is in the target.
    pub seq: u64,
    /// Entries of the source's log that this run went through.
    pub entries: u64,
    /// Transactions committed in the target.
    pub transactions: u64,
    /// Changes of refs in them.
    pub changes: u64,
    /// Changes of refs that the target had already.
    pub changes_already_there: u64,
    /// Blobs copied.
    pub blobs: u64,
    /// Blobs that the target had already.
    pub blobs_already_there: u64,
    /// Blobs that only past values name and that the source has collected.
    pub blobs_collected: u64,
    /// Chunks read from the source.
    pub chunks: u64,
    /// Chunks of the copied blobs that the target had already.
    pub chunks_already_there: u64,
    /// Bytes of blobs read from the source, after decompression.
    pub read_bytes: u64,
    /// Bytes of packs and index written in the target.
    pub written_bytes: u64,
    /// The requests that this took.
    pub write_requests: u64,
}

impl ReplicateReport {
    pub(super) fn of(source: WriteId) -> Self {
        Self {
            source,
            seq: 0,
            entries: 0,
            transactions: 0,
            changes: 0,
            changes_already_there: 0,
            blobs: 0,
            blobs_already_there: 0,
            blobs_collected: 0,
            chunks: 0,
            chunks_already_there: 0,
            read_bytes: 0,
            written_bytes: 0,
            write_requests: 0,
        }
    }
}
