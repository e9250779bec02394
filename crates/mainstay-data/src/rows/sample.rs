//! A few of the changes, to be shown.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow::array::{Array, AsArray as _, RecordBatch, StructArray};
use arrow::datatypes::UInt64Type;
use mainstay_core::{Error, Result};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::Op;
use super::failure::immovable;
use crate::digest::Profile;
use crate::slots::slots;
use crate::stats::{ScalarValue, spell};
use crate::zones;

/// Longer values are cut.
const MAX_TEXT_BYTES: usize = 1_024;

/// A cell, spelled as statistics spell values; `None` is null. Nested values, NaN and infinities are
/// text. What takes more than 1,024 bytes is cut and ends in `…`.
pub type CellValue = Option<ScalarValue>;

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChangedRow {
    /// What became of it.
    pub op: Op,
    /// The columns of the key; none for whole rows.
    #[serde(serialize_with = "as_map")]
    pub key: Vec<(String, CellValue)>,
    /// The later names of the compared columns that differ.
    pub changed: Vec<String>,
    /// The other columns of the earlier row; `None` when there is none, or several have the key.
    #[serde(serialize_with = "as_optional_map")]
    pub before: Option<Vec<(String, CellValue)>>,
    /// The other columns of the later row, likewise.
    #[serde(serialize_with = "as_optional_map")]
    pub after: Option<Vec<(String, CellValue)>>,
    /// The number of the (first) earlier row, from 0.
    pub before_row: Option<u64>,
    /// The number of the (first) later row, from 0.
    pub after_row: Option<u64>,
    /// How many earlier rows have the key, or are equal.
    pub before_count: u64,
    /// How many later rows have the key, or are equal.
    pub after_count: u64,
}

/// Keeps the changes that come first: by the number of the later row, or of the earlier one where there
/// is none. So a sample does not depend on how the tables were divided.
#[derive(Debug)]
pub(crate) struct Sample {
    size: usize,
    kept: BinaryHeap<Kept>,
}

#[derive(Debug)]
struct Kept {
    place: Place,
    row: ChangedRow,
}

type Place = (u64, Reverse<Op>, Option<u64>);

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

impl Sample {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            kept: BinaryHeap::new(),
        }
    }

    /// Looks at changes as [`RowChanges`](super::RowChanges) hands them out.
    pub(crate) fn add(&mut self, changes: &RecordBatch) -> Result<()> {
        let changes = Changes(changes);
        for row in 0..changes.0.num_rows() {
            let op = changes.op(row);
            let numbers = ["before_row", "after_row"].map(|name| changes.number(name, row));
            let place = (
                numbers[1].or(numbers[0]).unwrap_or(0),
                Reverse(op),
                numbers[0],
            );
            let last = self.kept.peek().map(|kept| kept.place);
            let full = self.kept.len() >= self.size;
            if full && last.is_none_or(|last| place >= last) {
                continue;
            }
            let row = changes.row(row)?;
            self.kept.push(Kept { place, row });
            if full {
                self.kept.pop();
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<ChangedRow> {
        let kept = self.kept.into_sorted_vec().into_iter();
        kept.map(|kept| kept.row).collect()
    }
}

struct Changes<'a>(&'a RecordBatch);

impl Changes<'_> {
    fn op(&self, row: usize) -> Op {
        match self.0["op"].as_string::<i32>().value(row) {
            "added" => Op::Added,
            "removed" => Op::Removed,
            "changed" => Op::Changed,
            _ => Op::Duplicate,
        }
    }

    fn number(&self, name: &str, row: usize) -> Option<u64> {
        let numbers = self.0[name].as_primitive::<UInt64Type>();
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    fn row(&self, row: usize) -> Result<ChangedRow> {
        let side = |name: &str| {
            let side = self.0[name].as_struct();
            side.is_valid(row).then(|| cells(side, row)).transpose()
        };
        let names = self.0["changed"].as_list::<i32>().value(row);
        let names = names.as_string::<i32>().iter().flatten();
        Ok(ChangedRow {
            op: self.op(row),
            key: cells(self.0["key"].as_struct(), row)?,
            changed: names.map(str::to_owned).collect(),
            before: side("before")?,
            after: side("after")?,
            before_row: self.number("before_row", row),
            after_row: self.number("after_row", row),
            before_count: self.number("before_count", row).unwrap_or(0),
            after_count: self.number("after_count", row).unwrap_or(0),
        })
    }
}

/// Spells the cells of a row, to be shown.
///
/// # Errors
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the batch has no such row;
/// [`Unsupported`](mainstay_core::ErrorKind::Unsupported) for a column whose type has no logical form.
pub fn cells_of(batch: &RecordBatch, row: usize) -> Result<Vec<(String, CellValue)>> {
    if row >= batch.num_rows() {
        return Err(Error::invalid("no such row").context("row", row));
    }
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    columns
        .map(|(field, array)| Ok((field.name().clone(), cell(array.as_ref(), row)?)))
        .collect()
}

fn cells(row: &StructArray, at: usize) -> Result<Vec<(String, CellValue)>> {
    let fields = row.fields().iter().zip(row.columns());
    fields
        .map(|(field, array)| Ok((field.name().clone(), cell(array.as_ref(), at)?)))
        .collect()
}

fn cell(array: &dyn Array, row: usize) -> Result<CellValue> {
    let slots = slots(array, Profile::Strict)?;
    if slots.is_null(row) {
        return Ok(None);
    }
    let value = match spell(array.data_type(), slots.scalar(row)) {
        Some(value) => value,
        None => ScalarValue::Text(zones::spelled(array, row).map_err(immovable)?),
    };
    Ok(Some(match value {
        ScalarValue::Text(text) if text.len() > MAX_TEXT_BYTES => {
            let end = text.floor_char_boundary(MAX_TEXT_BYTES);
            ScalarValue::Text(format!("{}…", &text[..end]))
        }
        value => value,
    }))
}

fn as_map<S: Serializer>(cells: &[(String, CellValue)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(cells.len()))?;
    for (name, value) in cells {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

#[expect(
    clippy::ref_option,
    reason = "serde hands out a reference to the field"
)]
fn as_optional_map<S: Serializer>(
    cells: &Option<Vec<(String, CellValue)>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match cells {
        Some(cells) => as_map(cells, serializer),
        None => serializer.serialize_none(),
    }
}
