//! How many rows differ.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::side::{Both, Side};

/// What became of a key, or of equal rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else to become")]
pub enum Op {
    /// Only the later table has it, or, of equal rows, has more.
    Added,
    /// Only the earlier table has it, or, of equal rows, has more.
    Removed,
    /// Both have it once, with other values.
    Changed,
    /// A side has it more than once, so that it does not say which row became which.
    Duplicate,
}

impl Op {
    /// Tells what became of equal rows; `None` when nothing did.
    pub(super) fn of_counts(before: u64, after: u64) -> Option<Self> {
        match before.cmp(&after) {
            std::cmp::Ordering::Less => Some(Self::Added),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Self::Removed),
        }
    }

    /// Returns its name, as in [`RowChanges`](super::RowChanges).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Duplicate => "duplicate",
        }
    }
}

/// How many rows differ.
///
/// `before` = `removed` + `changed` + `unchanged` + `duplicates.before`, and likewise `after`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RowCounts {
    /// Rows of the earlier table.
    pub before: u64,
    /// Rows of the later table.
    pub after: u64,
    /// Rows that only the later table has.
    pub added: u64,
    /// Rows that only the earlier table has.
    pub removed: u64,
    /// Rows that both have, with other values.
    pub changed: u64,
    /// Rows that both have alike.
    pub unchanged: u64,
    /// Of `unchanged`, the rows that were known to be alike without reading them whole.
    pub skipped: u64,
    /// Keys that are no keys.
    pub duplicates: Duplicates,
    /// How many cells of each compared column changed, by the later name.
    #[serde(serialize_with = "as_map")]
    pub cells: Vec<(String, u64)>,
    /// The later names of columns that were not compared: their types have no values in common.
    pub incomparable: Vec<String>,
    /// Whether rows that are alike have another place.
    #[serde(skip)]
    pub(super) moved: bool,
}

/// Keys that a side has more than once; their rows are not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Duplicates {
    /// How many keys.
    pub keys: u64,
    /// How many rows of the earlier table have them.
    pub before: u64,
    /// How many rows of the later table have them.
    pub after: u64,
}

impl RowCounts {
    /// Reports whether both tables have the same rows, in any order.
    #[must_use]
    pub fn same_rows(&self) -> bool {
        self.before == self.unchanged && self.after == self.unchanged
    }

    /// Reports whether both tables have the same rows, in another order.
    #[must_use]
    pub fn order_only(&self) -> bool {
        self.same_rows() && self.moved
    }

    pub(super) fn total(&mut self, side: Side) -> &mut u64 {
        match side {
            Side::Before => &mut self.before,
            Side::After => &mut self.after,
        }
    }

    pub(super) fn add(&mut self, op: Option<Op>, rows: Both<u64>) {
        let alike = rows.before.min(rows.after);
        match op {
            None => self.unchanged += alike,
            Some(Op::Changed) => self.changed += 1,
            Some(Op::Duplicate) => {
                self.duplicates.keys += 1;
                self.duplicates.before += rows.before;
                self.duplicates.after += rows.after;
            }
            Some(Op::Added | Op::Removed) => {
                self.added += rows.after - alike;
                self.removed += rows.before - alike;
                self.unchanged += alike;
            }
        }
    }
}

fn as_map<S: Serializer>(cells: &[(String, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    let changed = cells.iter().filter(|(_, count)| *count > 0);
    let cells: BTreeMap<&str, u64> = changed.map(|(name, count)| (&name[..], *count)).collect();
    cells.serialize(serializer)
}
