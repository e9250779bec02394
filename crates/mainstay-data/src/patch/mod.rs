//! What turns the rows of one table into those of another: cells that change, rows that go and come.
//!
//! Cuts by content find nothing to share in a column of which every page holds a changed value. A patch
//! holds the changed values alone. Its bytes are described in `docs/formats/data-patch.md`.

use arrow::array::{ArrayRef, RecordBatch};

mod align;
mod apply;
mod encoding;
mod find;
mod only;
mod trace;

pub(crate) use apply::apply;
pub(crate) use encoding::{decode, encode};
pub(crate) use find::find;
pub(crate) use trace::{Kept, Trace, followed, identity};

/// The most patches of a file: what has more changes is stored whole.
pub(crate) const MAX_DEPTH: usize = 8;

/// The most rows of a table that is patched, and of runs, changed cells and inserted rows of a patch.
const MAX_ROWS: u64 = 1 << 24;

/// The rows of the new table, in order, from those of the base.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Patch {
    runs: Vec<Run>,
    /// Cells of kept rows, by column.
    edits: Vec<Edits>,
    /// The rows that runs insert, in order.
    inserted: Option<RecordBatch>,
}

/// Consecutive rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    /// Rows of the base that stay; some of their cells may change.
    Keep(u64),
    /// Rows of the base that go.
    Delete(u64),
    /// Rows that come.
    Insert(u64),
}

/// The changed cells of one column.
#[derive(Debug, Clone)]
struct Edits {
    column: String,
    /// Places in the new table, ascending.
    rows: Vec<u64>,
    values: ArrayRef,
}

impl PartialEq for Edits {
    fn eq(&self, other: &Self) -> bool {
        let same = self.column == other.column && self.rows == other.rows;
        same && self.values.as_ref() == other.values.as_ref()
    }
}

impl Patch {
    /// Reports whether it changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.runs.iter().all(|run| matches!(run, Run::Keep(_)))
    }
}

#[cfg(test)]
mod tests;
