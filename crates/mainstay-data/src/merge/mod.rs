//! Bringing together what two lines of a dataset changed since their common ancestor.
//!
//! Files are merged path by path. Where both sides changed one table file, its rows are merged: by
//! key, cell by cell, where the dataset has one; without, when both only added rows behind. What both
//! sides changed differently is a conflict, which a [`Strategy`] decides or leaves to people.
//!
//! The merged file has the format of ours. Of CSV every field keeps its spelling, and of JSON lines every line but
//! for the values that change. Arrow IPC keeps its compression; a column that has dictionaries, at any depth, becomes
//! one of their values.

mod appends;
mod dictionaries;
mod edits;
mod paths;
mod plan;
mod rows;
mod spec;
mod unmerged;

pub(crate) use appends::{Appends, appends, behind};
pub(crate) use dictionaries::{schema_without, without_dictionaries};
pub(crate) use edits::Edits;
pub(crate) use paths::{Choice, choose};
pub use plan::{CellConflict, Conflict, FileAction, FileMerge, MergeOutcome, MergePlan, RowMerge};
pub(crate) use rows::{Cells, Rewriter, fit, like};
pub use spec::{MergeSpec, Strategy};
pub(crate) use unmerged::Unmerged;
