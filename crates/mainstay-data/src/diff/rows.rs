//! Rows in a comparison.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::rows::stored::Keys;
use crate::rows::{ChangedRow, Duplicates, Identity, RowCounts};

/// Rows of both tables; 0 where there is no table, which has at least one.
///
/// As JSON, the fields of [`ComparedRows`] stand beside `before` and `after`; where rows were not
/// compared, `added`, `removed` and `changed` are null.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RowsDiff {
    /// Of the earlier snapshot.
    pub before: u64,
    /// Of the later snapshot.
    pub after: u64,
    /// Which rows differ: when that was asked for, and without being asked where digests say that none
    /// does.
    #[serde(flatten, serialize_with = "known_or_null")]
    pub compared: Option<ComparedRows>,
}

/// Which rows of two tables differ; the numbers are those of [`RowCounts`].
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct ComparedRows {
    /// The columns that tell rows apart; `None` when it is the whole row.
    pub key: Option<Vec<String>>,
    /// Rows that only the later table has.
    pub added: u64,
    /// Rows that only the earlier table has.
    pub removed: u64,
    /// Rows that both have, with other values.
    pub changed: u64,
    /// Rows that both have alike.
    pub unchanged: u64,
    /// Of `unchanged`, the rows that were not read, or only the columns of which a page differs.
    pub skipped: u64,
    /// Keys that a table has more than once; where they are not [complete](Self::duplicates_complete),
    /// among the rows that were read.
    pub duplicates: Duplicates,
    /// Whether `duplicates` are all there are. A version whose key several rows are
    /// [known](crate::VersionInfo::repeated_keys) to have is read whole; where that is not known of the
    /// columns that rows are compared by, keys are not looked for among rows that are skipped: looking would
    /// be reading them. A row that is told as added may then have the key of one that was skipped.
    pub duplicates_complete: bool,
    /// How many cells of each column changed; columns without are left out.
    pub cells: BTreeMap<String, u64>,
    /// Columns that were not compared: their types have no values in common.
    pub incomparable: Vec<String>,
    /// Whether both have the same rows, in another order.
    pub order_only: bool,
    /// The rows that differ and come first, in the later order; removed rows are where they were.
    pub sample: Vec<ChangedRow>,
}

#[expect(clippy::ref_option, reason = "serde calls it with the field")]
fn known_or_null<S: Serializer>(
    compared: &Option<ComparedRows>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Default, Serialize)]
    struct Unknown {
        added: Option<u64>,
        removed: Option<u64>,
        changed: Option<u64>,
    }
    match compared {
        Some(compared) => compared.serialize(serializer),
        None => Unknown::default().serialize(serializer),
    }
}

impl ComparedRows {
    pub(crate) fn new(
        (identity, keys): (&Identity, Keys),
        counts: RowCounts,
        sample: Vec<ChangedRow>,
    ) -> Self {
        Self {
            duplicates_complete: keys != Keys::Unknown || counts.skipped == 0,
            added: counts.added,
            removed: counts.removed,
            changed: counts.changed,
            unchanged: counts.unchanged,
            skipped: counts.skipped,
            duplicates: counts.duplicates,
            order_only: counts.order_only(),
            cells: counts
                .cells
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .collect(),
            incomparable: counts.incomparable,
            sample,
            ..Self::alike((identity, keys), 0, false)
        }
    }

    /// Of tables that are known to have the same rows.
    pub(crate) fn alike((identity, keys): (&Identity, Keys), rows: u64, order_only: bool) -> Self {
        Self {
            key: match identity {
                Identity::Key(columns) => Some(columns.clone()),
                Identity::WholeRow => None,
            },
            unchanged: rows,
            skipped: rows,
            duplicates_complete: keys == Keys::Unique,
            order_only,
            ..Self::default()
        }
    }

    /// Returns how many rows, or keys that are none, differ.
    #[must_use]
    pub fn differing(&self) -> u64 {
        self.added + self.removed + self.changed + self.duplicates.keys
    }
}
