//! Changes as record batches.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, ListBuilder, RecordBatch, StringArray, StringBuilder,
    StructArray, UInt64Array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, UInt64Type};
use mainstay_core::Result;

use super::columns::Columns;
use super::failure::immovable;
use super::join::{Change, Joined, Rows};
use super::plain::to_type;
use super::side::{Both, Side};
use crate::value_bytes::{fixed_bytes, of_slots};

/// What changes look like as record batches.
#[derive(Debug)]
pub(super) struct Output {
    schema: SchemaRef,
    key: Fields,
    rest: Both<Fields>,
    others: Both<Vec<usize>>,
    widths: Both<Widths>,
}

/// What the rows of a side take.
#[derive(Debug)]
struct Widths {
    /// In columns of a fixed width.
    fixed: u64,
    /// The other columns.
    varying: Vec<usize>,
}

impl Widths {
    fn of(schema: &Schema) -> Self {
        let (mut fixed, mut varying) = (0_u64, Vec::new());
        for (index, field) in schema.fields().iter().enumerate() {
            match fixed_bytes(field.data_type()) {
                Some(bytes) => fixed = fixed.saturating_add(bytes),
                None => varying.push(index),
            }
        }
        Self { fixed, varying }
    }

    fn of_row(&self, batch: &RecordBatch, row: usize) -> u64 {
        let varying = self.varying.iter();
        let bytes = varying.map(|&index| of_slots(batch.column(index), row..row + 1));
        bytes.fold(self.fixed, u64::saturating_add)
    }
}

impl Output {
    pub(super) fn new(columns: &Columns) -> Self {
        let kept = Both::of(|side| columns.tables[side].kept());
        let key = columns.named_key().iter().filter_map(|pair| {
            let common = pair.common.clone()?;
            Some(Field::new(&pair.name, common, true))
        });
        let key: Fields = key.collect();
        let others = Both::of(|side| columns.others(side));
        let rest: Both<Fields> = Both::of(|side| {
            let fields = others[side].iter();
            fields
                .map(|&index| Arc::new(kept[side].field(index).clone()))
                .collect()
        });
        let field = |name: &str, data_type, nullable| Field::new(name, data_type, nullable);
        let names = Field::new_list_field(DataType::Utf8, true);
        let schema = Schema::new(vec![
            field("op", DataType::Utf8, false),
            field("key", DataType::Struct(key.clone()), false),
            field("changed", DataType::List(Arc::new(names)), false),
            field("before", DataType::Struct(rest.before.clone()), true),
            field("after", DataType::Struct(rest.after.clone()), true),
            field("before_row", DataType::UInt64, true),
            field("after_row", DataType::UInt64, true),
            field("before_count", DataType::UInt64, false),
            field("after_count", DataType::UInt64, false),
        ]);
        Self {
            schema: Arc::new(schema),
            key,
            rest,
            others,
            widths: Both::of(|side| Widths::of(kept[side])),
        }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns how many of the changes, from the first on, have rows that take no more than `most` bytes; one at
    /// least, if there is one.
    pub(super) fn fitting(&self, joined: &Joined, changes: &[Change], most: u64) -> usize {
        let mut bytes = 0_u64;
        let fit = changes.iter().take_while(|change| {
            for side in Side::BOTH {
                if let Some(rows) = first(change, side) {
                    let batch = &joined.rows[side][rows.batch as usize];
                    let row = self.widths[side].of_row(batch, rows.row as usize);
                    bytes = bytes.saturating_add(row);
                }
            }
            bytes <= most
        });
        fit.count().max(1).min(changes.len())
    }

    /// Gathers some of the changes of a part.
    pub(super) fn batch(
        &self,
        columns: &Columns,
        joined: &Joined,
        range: Range<usize>,
    ) -> Result<RecordBatch> {
        let changes = &joined.changes[range];
        let ops = changes.iter().map(|change| change.op.name());
        let [before, after] = Side::BOTH.map(|side| self.rows(columns, joined, changes, side));
        let [before_row, after_row] = Side::BOTH.map(|side| {
            let number_at = columns.tables[side].number_at();
            let number = |change| {
                let rows = first(change, side)?;
                let batch = &joined.rows[side][rows.batch as usize];
                let numbers = batch.column(number_at).as_primitive::<UInt64Type>();
                Some(numbers.value(rows.row as usize))
            };
            changes.iter().map(number).collect::<UInt64Array>()
        });
        let [before_count, after_count] = Side::BOTH.map(|side| {
            UInt64Array::from_iter_values(changes.iter().map(|change| change.rows[side].count))
        });
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(ops)),
            Arc::new(self.keys(columns, joined, changes)?),
            Arc::new(changed_names(columns, joined, changes)),
            Arc::new(before?),
            Arc::new(after?),
            Arc::new(before_row),
            Arc::new(after_row),
            Arc::new(before_count),
            Arc::new(after_count),
        ];
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(immovable)
    }

    /// Gathers the keys, of the later row where there is one.
    fn keys(&self, columns: &Columns, joined: &Joined, changes: &[Change]) -> Result<StructArray> {
        let offset = joined.rows.before.len();
        let places: Vec<(usize, usize)> = changes
            .iter()
            .map(|change| match first(change, Side::After) {
                Some(rows) => (offset + rows.batch as usize, rows.row as usize),
                None => place(change.rows.before),
            })
            .collect();
        let mut arrays = Vec::with_capacity(self.key.len());
        for (pair, field) in columns.named_key().iter().zip(&self.key) {
            let mut sources = Vec::with_capacity(offset + joined.rows.after.len());
            for side in Side::BOTH {
                for batch in &joined.rows[side] {
                    sources.push(to_type(batch.column(pair.at[side]), field.data_type())?);
                }
            }
            arrays.push(gather(&sources, &places)?);
        }
        structure(&self.key, arrays, None, changes.len())
    }

    /// Gathers what one side has besides the key; null where it has no row, or different ones.
    fn rows(
        &self,
        columns: &Columns,
        joined: &Joined,
        changes: &[Change],
        side: Side,
    ) -> Result<StructArray> {
        let batches = &joined.rows[side];
        let alike = |rows: &Rows| rows.count == 1 || columns.whole_row;
        let row = |change| first(change, side).filter(alike);
        let nulls: NullBuffer = changes.iter().map(|change| row(change).is_some()).collect();
        let absent = (batches.len(), 0);
        let places: Vec<(usize, usize)> = changes
            .iter()
            .map(|change| row(change).map_or(absent, place))
            .collect();
        let mut arrays = Vec::with_capacity(self.others[side].len());
        for (&column, field) in self.others[side].iter().zip(&self.rest[side]) {
            let columns = batches.iter().map(|batch| Arc::clone(batch.column(column)));
            let absent = [new_null_array(field.data_type(), 1)];
            let sources: Vec<ArrayRef> = columns.chain(absent).collect();
            arrays.push(gather(&sources, &places)?);
        }
        structure(&self.rest[side], arrays, Some(nulls), changes.len())
    }
}

fn first(change: &Change, side: Side) -> Option<Rows> {
    Some(change.rows[side]).filter(|rows| rows.count > 0)
}

fn place(rows: Rows) -> (usize, usize) {
    (rows.batch as usize, rows.row as usize)
}

fn gather(sources: &[ArrayRef], places: &[(usize, usize)]) -> Result<ArrayRef> {
    let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
    interleave(&sources, places).map_err(immovable)
}

fn structure(
    fields: &Fields,
    arrays: Vec<ArrayRef>,
    nulls: Option<NullBuffer>,
    rows: usize,
) -> Result<StructArray> {
    StructArray::try_new_with_length(fields.clone(), arrays, nulls, rows).map_err(immovable)
}

fn changed_names(
    columns: &Columns,
    joined: &Joined,
    changes: &[Change],
) -> arrow::array::ListArray {
    let mut names = ListBuilder::new(StringBuilder::new());
    for change in changes {
        for &column in &joined.changed[change.changed.clone()] {
            names.values().append_value(&columns.values[column].name);
        }
        names.append(true);
    }
    names.finish()
}
