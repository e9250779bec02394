//! From JSON lines to record batches.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use mainstay_core::{Error, ErrorKind, Result};
use serde::de::DeserializeSeed as _;
use serde_json::Deserializer;

use super::columns::{Budget, Members, Row};
use super::walk::malformed;
use super::{JsonType, Lines};
use crate::format::BATCH_ROWS;

/// A batch ends when its lines have so many bytes.
pub(super) const BATCH_BYTES: usize = 32 * 1024 * 1024;
/// A batch ends when it has so many values.
pub(super) const BATCH_VALUES: usize = 4 * 1024 * 1024;

/// The batches of a JSON lines file.
pub(super) struct Batches {
    lines: Lines,
    /// In order; those without a type are passed over.
    columns: Vec<(String, Option<JsonType>)>,
    /// Of the columns that have a type.
    schema: SchemaRef,
}

impl Batches {
    /// Reads `columns`, the same as those of `schema`.
    pub(super) fn new(
        lines: Lines,
        schema: &SchemaRef,
        columns: Vec<(String, Option<JsonType>)>,
    ) -> Self {
        let fields = schema.fields().iter().zip(&columns);
        let fields = fields.filter(|(_, (_, of))| of.is_some());
        let fields: Vec<_> = fields.map(|(field, _)| Arc::clone(field)).collect();
        Self {
            lines,
            columns,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut members = Members::new(self.columns.iter().cloned());
        let (mut rows, mut bytes, mut budget) = (0, 0, Budget::default());
        while rows < BATCH_ROWS && bytes < BATCH_BYTES && budget.used() < BATCH_VALUES {
            budget.refill();
            let row = Row {
                columns: &mut members,
                budget: &mut budget,
            };
            let Some(length) = self.lines.next(|text| append(row, text))? else {
                break;
            };
            bytes += length;
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        self.finish(members, rows).map(Some).map_err(|error| {
            Error::new(ErrorKind::Internal, "JSON columns do not make a batch").with_source(error)
        })
    }

    fn finish(&self, mut members: Members, rows: usize) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter();
        let arrays = columns.filter_map(|(name, _)| members.take(name));
        let arrays = arrays.collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
    }
}

/// Appends a line; returns how many bytes it has.
fn append(row: Row<'_>, text: &str) -> Result<usize> {
    let mut json = Deserializer::from_str(text);
    let appended = row.deserialize(&mut json).and_then(|()| json.end());
    match appended {
        Ok(()) => Ok(text.len()),
        Err(error) => Err(malformed(&error)),
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}
