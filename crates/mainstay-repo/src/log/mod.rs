//! The log: one entry a commit, hash-chained, created once; its next free number is where commits
//! are ordered.

pub(crate) mod append;
pub(crate) mod as_of;
pub(crate) mod commit;
pub(crate) mod entry;
mod fold;
mod plan;
pub(crate) mod read;
pub(crate) mod walk;
