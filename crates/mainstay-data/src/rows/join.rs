//! Bringing together the rows of one key: all rows of both sides that could have it are at hand.

use std::ops::Range;

use arrow::array::{AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::UInt64Type;
use hashbrown::HashTable;
use mainstay_core::{Error, Result};
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{Columns, each_row, open};
use super::failure::immovable;
use super::parts::Part;
use super::side::{Both, Side};
use super::{Op, RowCounts};
use crate::slots::{Slots, write_cell};

/// What the rows of one part say.
#[derive(Debug)]
pub(super) struct Joined {
    /// Of each key the first row on either side.
    pub(super) rows: Both<Vec<RecordBatch>>,
    pub(super) changes: Vec<Change>,
    /// The places in the compared columns that `changes` refer to.
    pub(super) changed: Vec<usize>,
}

/// A key whose rows differ.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) op: Op,
    pub(super) rows: Both<Rows>,
    /// Which of [`Joined::changed`] are its changed columns.
    pub(super) changed: Range<usize>,
}

/// The rows of one key on one side.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rows {
    pub(super) count: u64,
    /// Where the first one is kept, if there is any.
    pub(super) batch: u32,
    pub(super) row: u32,
    /// The sum of a hash of their numbers: equal for the same numbers, and hardly for others.
    numbers: u64,
}

/// Joins a part, and counts what it says.
///
/// Memory: of each key one row of either side and its bytes.
pub(super) fn join(columns: &Columns, part: Both<Part>, counts: &mut RowCounts) -> Result<Joined> {
    let mut keys = Keys::default();
    let mut kept = Both::default();
    let Both { before, after } = part;
    for (side, part) in [(Side::Before, before), (Side::After, after)] {
        let key = columns.key_of(side);
        let number_at = columns.tables[side].number_at();
        let kept: &mut Vec<RecordBatch> = &mut kept[side];
        part.read(|batch| {
            let numbers = batch.column(number_at).as_primitive::<UInt64Type>();
            let place = index(kept.len())?;
            let mut firsts: Vec<u32> = Vec::new();
            each_row(&batch, &key, |row, bytes| {
                let rows = &mut keys.find(bytes)?[side];
                if rows.count == 0 {
                    (rows.batch, rows.row) = (place, index(firsts.len())?);
                    firsts.push(index(row)?);
                }
                rows.count += 1;
                let number = xxh3_64(&numbers.value(row).to_le_bytes());
                rows.numbers = rows.numbers.wrapping_add(number);
                Ok(())
            })?;
            if firsts.len() == batch.num_rows() {
                kept.push(batch);
            } else if !firsts.is_empty() {
                let firsts = UInt32Array::from(firsts);
                kept.push(take_record_batch(&batch, &firsts).map_err(immovable)?);
            }
            Ok(())
        })?;
    }
    let (changes, changed) = compare(columns, &kept, keys.rows, counts)?;
    Ok(Joined {
        rows: kept,
        changes,
        changed,
    })
}

fn index(number: usize) -> Result<u32> {
    u32::try_from(number)
        .map_err(|cause| Error::invalid("more than 2^32 rows of one batch").with_source(cause))
}

/// The keys of a part, in the order in which they were first seen.
#[derive(Default)]
struct Keys {
    table: HashTable<usize>,
    rows: Vec<Both<Rows>>,
    bytes: Vec<u8>,
    /// Where the bytes of each key end.
    ends: Vec<usize>,
}

impl Keys {
    /// Returns the rows of a key, none when it is new.
    fn find(&mut self, key: &[u8]) -> Result<&mut Both<Rows>> {
        let Self {
            table,
            rows,
            bytes,
            ends,
        } = self;
        let key_of = |place: usize| {
            let start = place.checked_sub(1).map_or(0, |before| ends[before]);
            &bytes[start..ends[place]]
        };
        let hash = xxh3_64(key);
        let place = if let Some(&place) = table.find(hash, |&place| key_of(place) == key) {
            place
        } else {
            let place = rows.len();
            table.insert_unique(hash, place, |&place| xxh3_64(key_of(place)));
            bytes.extend_from_slice(key);
            ends.push(bytes.len());
            rows.push(Both::default());
            place
        };
        rows.get_mut(place)
            .ok_or_else(|| Error::invalid("a key without rows"))
    }
}

/// Compares the rows of each key; returns what differs, and the changed columns of all changes.
fn compare(
    columns: &Columns,
    kept: &Both<Vec<RecordBatch>>,
    keys: Vec<Both<Rows>>,
    counts: &mut RowCounts,
) -> Result<(Vec<Change>, Vec<usize>)> {
    let mut cells = Cells::open(columns, kept)?;
    let (mut changes, mut changed) = (Vec::new(), Vec::new());
    for rows in keys {
        let first_changed = changed.len();
        let op = if columns.whole_row {
            Op::of_counts(rows.before.count, rows.after.count)
        } else {
            match (rows.before.count, rows.after.count) {
                (0, 1) => Some(Op::Added),
                (1, 0) => Some(Op::Removed),
                (1, 1) => {
                    cells.differing(rows, &mut changed);
                    (changed.len() > first_changed).then_some(Op::Changed)
                }
                _ => Some(Op::Duplicate),
            }
        };
        counts.moved |= op.is_none() && rows.before.numbers != rows.after.numbers;
        let changed = first_changed..changed.len();
        counts.add(op, Both::of(|side| rows[side].count));
        if let Some(op) = op {
            changes.push(Change { op, rows, changed });
        }
    }
    for &column in &changed {
        counts.cells[column].1 += 1;
    }
    Ok((changes, changed))
}

/// The compared columns of the kept rows.
struct Cells<'a> {
    batches: Both<Vec<Vec<Box<dyn Slots + 'a>>>>,
    count: usize,
    bytes: Both<Vec<u8>>,
}

impl<'a> Cells<'a> {
    fn open(columns: &Columns, kept: &'a Both<Vec<RecordBatch>>) -> Result<Self> {
        let batches = Both::try_of(|side| {
            let values = columns.values_of(side);
            kept[side]
                .iter()
                .map(|batch| open(batch, &values))
                .collect()
        })?;
        Ok(Self {
            batches,
            count: columns.values.len(),
            bytes: Both::default(),
        })
    }

    /// Adds the places of the columns in which the first rows of a key differ.
    fn differing(&mut self, rows: Both<Rows>, changed: &mut Vec<usize>) {
        for column in 0..self.count {
            for side in Side::BOTH {
                let Rows { batch, row, .. } = rows[side];
                let (bytes, slots) = (&mut self.bytes[side], &self.batches[side]);
                bytes.clear();
                write_cell(slots[batch as usize][column].as_ref(), row as usize, bytes);
            }
            if self.bytes.before != self.bytes.after {
                changed.push(column);
            }
        }
    }
}
