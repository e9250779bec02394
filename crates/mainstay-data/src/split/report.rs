//! What a split answers.

use mainstay_core::{Name, NodeRef};
use serde::Serialize;

use crate::SnapshotReport;

/// What was divided, and into what.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SplitReport {
    /// The split: its rule and its parts.
    pub split: NodeRef,
    /// What was divided.
    pub source: NodeRef,
    /// The parts, in order.
    pub parts: Vec<PartReport>,
    /// Whether it was there already, and no part is new.
    pub reused: bool,
}

/// A part of a split.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PartReport {
    /// What it is for.
    pub role: Name,
    /// What was stored.
    #[serde(flatten)]
    pub snapshot: SnapshotReport,
}
