//! The log: one entry a commit, hash-chained, created once; its next free number is where commits
//! are ordered.

pub(crate) mod append;
pub(crate) mod as_of;
mod batch;
pub(crate) mod commit;
mod draft;
pub(crate) mod entry;
mod fold;
pub(crate) mod group;
pub(crate) mod lineage;
mod lookups;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod walk;
