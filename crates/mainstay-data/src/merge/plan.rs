//! What a merge would do.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use mainstay_core::{Error, ErrorKind, FilePath, NodeRef, Result};
use serde::Serialize;

use super::MergeSpec;

/// How two versions come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MergeOutcome {
    /// Ours continues theirs: there is nothing to do.
    UpToDate,
    /// Theirs continues ours: the branch moves to theirs.
    FastForward,
    /// A version of both is made.
    Merge,
}

/// What a merge would do. Nothing is changed until it is applied.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MergePlan {
    /// What was asked for.
    pub spec: MergeSpec,
    /// The version that both sides are compared with.
    pub base: Option<NodeRef>,
    /// How the versions come together.
    pub outcome: MergeOutcome,
    /// The files that will not simply be ours, in path order.
    pub files: Vec<FileMerge>,
    /// The metadata that will be theirs; `None` for what they removed.
    pub metadata: BTreeMap<String, Option<String>>,
    /// What both sides changed differently and no strategy decides. A merge with conflicts is not made.
    pub conflicts: Vec<Conflict>,
    /// The cells and rows that both sides changed differently, also those that a strategy decides.
    pub cells: Vec<CellConflict>,
}

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileMerge {
    /// Its path.
    pub path: FilePath,
    /// What becomes of it.
    pub action: FileAction,
    /// How its rows are merged, if they are.
    pub rows: Option<RowMerge>,
}

/// What becomes of a file that is not simply ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileAction {
    /// It becomes theirs.
    Take,
    /// It goes, as theirs did.
    Remove,
    /// It stays ours although theirs differs: a strategy said so.
    Keep,
    /// It gets the changes of both.
    MergeRows,
}

/// What of their rows comes into ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RowMerge {
    /// Rows that come in.
    pub added: u64,
    /// Rows that go.
    pub removed: u64,
    /// Rows of which cells change.
    pub changed: u64,
    /// Cells and rows that both sides changed differently.
    pub conflicts: u64,
}

/// Something that both sides changed differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Conflict {
    /// The file; `None` for metadata.
    pub path: Option<FilePath>,
    /// The metadata entry.
    pub metadata: Option<String>,
    /// What both did.
    pub why: &'static str,
}

/// A cell or a row that both sides changed differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CellConflict {
    /// The file.
    pub path: FilePath,
    /// The values of the key by column, as text; nulls are absent.
    pub key: BTreeMap<String, String>,
    /// The column; `None` when one side removed the row that the other changed.
    pub column: Option<String>,
    /// The value before, as text; `None` where there was none.
    pub base: Option<String>,
    /// Our value.
    pub ours: Option<String>,
    /// Their value.
    pub theirs: Option<String>,
}

impl MergePlan {
    /// Returns the conflicts of cells and rows as a table of text columns: `path`, `key` (as JSON),
    /// `column`, `base`, `ours`, `theirs`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the table cannot be built.
    pub fn cells_as_table(&self) -> Result<RecordBatch> {
        let internal = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Internal, "no table of conflicts").with_source(error)
        };
        let keys: Vec<String> = self
            .cells
            .iter()
            .map(|cell| serde_json::to_string(&cell.key))
            .collect::<Result<_, _>>()
            .map_err(|error| internal(error.into()))?;
        let cells = self.cells.iter();
        let column = |text: fn(&CellConflict) -> Option<&str>| -> ArrayRef {
            Arc::new(cells.clone().map(text).collect::<StringArray>())
        };
        let keys: ArrayRef = Arc::new(StringArray::from(keys));
        let columns = [
            ("path", column(|cell| Some(cell.path.as_str()))),
            ("key", keys),
            ("column", column(|cell| cell.column.as_deref())),
            ("base", column(|cell| cell.base.as_deref())),
            ("ours", column(|cell| cell.ours.as_deref())),
            ("theirs", column(|cell| cell.theirs.as_deref())),
        ];
        let columns = columns.map(|(name, array)| (name, array, true));
        RecordBatch::try_from_iter_with_nullable(columns).map_err(|error| internal(error.into()))
    }
}
