//! Reading the log: the change feed and the history of one ref.

use mainstay_core::{Actor, Digest, RefPath, Timestamp};

use crate::{Position, Value};

/// One committed transaction as the log tells it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The entry that it is in, from 1; concurrent transactions may share one.
    pub seq: u64,
    /// The place behind it, to [read on](crate::Repo::entries) from.
    pub position: Position,
    /// The SHA-256 of the entry's stored bytes.
    pub digest: Digest,
    /// When it was committed; never before the entry it follows.
    pub time: Timestamp,
    /// Who committed it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// What it changed.
    pub changes: Vec<RefChange>,
}

/// One change of one ref.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RefChange {
    /// The ref.
    pub path: RefPath,
    /// The log entry.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// Who changed it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The ref's generation after the change.
    pub generation: u64,
    /// The new value; `None` for a deletion.
    pub value: Option<Value>,
    /// The entry that changed the ref before; `None` when this created it.
    pub previous: Option<u64>,
}
