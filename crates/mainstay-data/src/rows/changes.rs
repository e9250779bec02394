//! The changes of a comparison, part by part.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::{Result, Telling};

use super::columns::Columns;
use super::join::{Joined, join};
use super::output::Output;
use super::parts::{Part, Parts};
use super::side::{Both, Side};
use super::{RowCounts, RowDiffOptions, make_room};

/// How many changes a batch holds.
const BATCH_CHANGES: usize = 8_192;
/// How many bytes their rows take, unless it is one change.
const BATCH_BYTES: u64 = 16 * 1024 * 1024;
/// How often a part that is too large is divided once more: 32⁵ parts suffice unless most rows have
/// one key, of which a single row is kept anyway.
const MAX_LEVEL: u64 = 4;
/// The unit in which parts are told.
const PARTS: &str = "parts";

/// The rows that differ, as record batches: one row a key, or for whole rows one row for equal ones.
///
/// | column | type | holds |
/// |---|---|---|
/// | `op` | text | `added`, `removed`, `changed` or `duplicate`, see [`Op`](super::Op) |
/// | `key` | struct | the columns of the key, by their later names; empty for whole rows |
/// | `changed` | list of text | the later names of the compared columns that differ |
/// | `before`, `after` | struct | all other columns of that side; null where it has no such row, or several with the key |
/// | `before_row`, `after_row` | uint64 | the number of the (first) row in its table, from 0; null where there is none |
/// | `before_count`, `after_count` | uint64 | how many rows have the key, or are equal |
///
/// Dictionaries, runs and views come as plain arrays. A batch has at most 8,192 rows, and fewer where their values
/// would take more than 16 MiB. The order is a function of the rows and the
/// memory allowed; that of the tables is in `before_row` and `after_row`.
#[derive(Debug)]
pub struct RowChanges {
    columns: Columns,
    output: Output,
    options: RowDiffOptions,
    /// [`BATCH_BYTES`], but in tests.
    batch_bytes: u64,
    counts: RowCounts,
    /// Parts and how often they were divided, the last one first.
    waiting: Vec<(u64, Both<Part>)>,
    /// A part, and how many of its changes were handed out.
    joined: Option<(Joined, usize)>,
    telling: Telling,
}

impl RowChanges {
    pub(super) fn new(
        columns: Columns,
        options: RowDiffOptions,
        counts: RowCounts,
        parts: Both<Parts>,
    ) -> Self {
        let mut changes = Self {
            output: Output::new(&columns),
            columns,
            options,
            batch_bytes: BATCH_BYTES,
            counts,
            waiting: Vec::new(),
            joined: None,
            telling: Telling::default(),
        };
        changes.wait(0, parts);
        changes
    }

    /// Tells how many parts have been joined.
    pub(crate) fn telling(mut self, telling: Telling) -> Self {
        telling.expect(PARTS, self.waiting.len() as u64);
        self.telling = telling;
        self
    }

    /// Returns the schema of the batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(self.output.schema())
    }

    /// Counts what was found so far: everything once all batches were taken.
    #[must_use]
    pub fn counts(&self) -> &RowCounts {
        &self.counts
    }

    /// Goes through the changes that were not taken and returns how many rows differ.
    ///
    /// # Errors
    /// As the batches.
    pub fn into_counts(mut self) -> Result<RowCounts> {
        while self.join_next()? {
            self.joined = None;
        }
        Ok(self.counts)
    }

    fn wait(&mut self, level: u64, parts: Both<Parts>) {
        let before = parts.before.finish().into_iter();
        let pairs = before.zip(parts.after.finish());
        let pairs = pairs.map(|(before, after)| Both { before, after });
        let pairs = pairs.filter(|pair| !pair.iter().all(Part::is_empty));
        let mut pairs: Vec<_> = pairs.map(|pair| (level, pair)).collect();
        pairs.reverse();
        self.telling.expect(PARTS, pairs.len() as u64);
        self.waiting.append(&mut pairs);
    }

    /// Joins the next part; `false` when there is none.
    fn join_next(&mut self) -> Result<bool> {
        while let Some((level, part)) = self.waiting.pop() {
            let bytes: usize = part.iter().map(Part::bytes).sum();
            if bytes <= self.options.memory_bytes / 4 || level == MAX_LEVEL {
                let joined = join(&self.columns, part, &mut self.counts)?;
                self.joined = Some((joined, 0));
                self.telling.add(PARTS, 1);
                return Ok(true);
            }
            self.divide(level + 1, part)?;
            self.telling.add(PARTS, 1);
        }
        Ok(false)
    }

    /// Divides a part that is too large to be joined.
    fn divide(&mut self, level: u64, part: Both<Part>) -> Result<()> {
        let pairs = self.waiting.iter().flat_map(|(_, pair)| pair.iter());
        let buffered: usize = pairs.map(Part::buffered).sum();
        let memory = self.options.memory_bytes;
        let allowed = (memory / 2).saturating_sub(buffered).max(memory / 8);
        let mut parts = Both::of(|side| {
            let table = &self.columns.tables[side];
            Parts::new(
                level,
                self.columns.key_of(side),
                SchemaRef::clone(table.kept()),
            )
        });
        let Both { before, after } = part;
        for (side, part) in [(Side::Before, before), (Side::After, after)] {
            part.read(|batch| {
                parts[side].add(&batch)?;
                make_room(&mut parts, allowed, &self.options)
            })?;
        }
        self.wait(level, parts);
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some((joined, taken)) = &mut self.joined {
                let most = joined.changes.len().min(*taken + BATCH_CHANGES);
                if *taken < most {
                    let changes = &joined.changes[*taken..most];
                    let fit = self.output.fitting(joined, changes, self.batch_bytes);
                    let range = *taken..*taken + fit;
                    *taken = range.end;
                    return self.output.batch(&self.columns, joined, range).map(Some);
                }
            }
            // Its rows are let go before those of the next part are read.
            self.joined = None;
            if !self.join_next()? {
                return Ok(None);
            }
        }
    }
}

/// Ends after an error.
impl Iterator for RowChanges {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch();
        if batch.is_err() {
            (self.joined, self.waiting) = (None, Vec::new());
        }
        batch.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray as _, Int64Array, StringArray};
    use arrow::datatypes::UInt64Type;

    use super::*;
    use crate::rows::{Identity, RowDiff};

    fn table(rows: i64, text: impl Fn(i64) -> String) -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(text)));
        RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap()
    }

    fn changes() -> RowChanges {
        let before = table(2_000, |_| "x".repeat(30));
        let long = |row: i64| if row % 100 == 0 { 900 } else { 30 };
        let after = table(2_000, |row| "y".repeat(long(row)));
        let (key, options) = (Identity::key(["id"]), RowDiffOptions::default());
        let mut diff = RowDiff::new(&before.schema(), &after.schema(), &key, options).unwrap();
        diff.add(Side::Before, &before).unwrap();
        diff.add(Side::After, &after).unwrap();
        diff.finish()
    }

    #[test]
    fn a_batch_of_changes_has_rows_of_so_many_bytes() {
        let rows = |batch: &RecordBatch| {
            let rows = batch["after_row"].as_primitive::<UInt64Type>();
            rows.values().to_vec()
        };
        let whole: Vec<u64> = changes().flat_map(|batch| rows(&batch.unwrap())).collect();
        assert_eq!(whole.len(), 2_000);
        let mut small = changes();
        small.batch_bytes = 1_000;
        let (mut found, mut alone) = (Vec::new(), 0);
        for batch in small {
            let numbers = rows(&batch.unwrap());
            // A number, a text and the number of the row on either side; 900 bytes more where the text is long.
            let long = |row: &u64| if row.is_multiple_of(100) { 870 } else { 0 };
            let bytes = |row: &u64| 2 * (8 + 34 + 8) + long(row);
            let bytes: usize = numbers.iter().map(bytes).sum();
            assert!(bytes <= 1_000 || numbers.len() == 1, "{bytes}");
            alone += usize::from(numbers.len() == 1);
            found.extend(numbers);
        }
        assert_eq!(found, whole);
        assert!((1..1_000).contains(&alone));
    }
}
