//! From CSV records to record batches.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, RecordBatch,
    RecordBatchOptions, StringBuilder,
};
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType, TimestampNanosecondType};
use mainstay_core::{Error, ErrorKind, Result};

use super::field::{CsvType, Moment, parse_bool, parse_date, parse_float, parse_int};
use super::records::Records;
use crate::format::BATCH_ROWS;

/// A batch ends when its fields have so many bytes.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// The batches of a CSV file.
pub(super) struct Batches {
    records: Records,
    /// Index in the file and type of the columns to read.
    columns: Vec<(usize, CsvType)>,
    schema: SchemaRef,
}

impl Batches {
    /// Reads `columns`, whose indices lie within `schema`.
    pub(super) fn new(
        records: Records,
        schema: &SchemaRef,
        columns: Vec<(usize, CsvType)>,
    ) -> Self {
        let fields: Vec<_> = columns
            .iter()
            .map(|(index, _)| Arc::clone(&schema.fields()[*index]))
            .collect();
        Self {
            records,
            columns,
            schema: Arc::new(arrow::datatypes::Schema::new(fields)),
        }
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut builders: Vec<Builder> = self
            .columns
            .iter()
            .map(|(_, csv_type)| Builder::new(*csv_type))
            .collect();
        let (mut rows, mut bytes) = (0, 0);
        while rows < BATCH_ROWS && bytes < BATCH_BYTES && self.records.advance()? {
            for ((index, _), builder) in self.columns.iter().zip(&mut builders) {
                let text = self.records.field(*index)?;
                builder.append(text).ok_or_else(|| {
                    Error::invalid("a field that is not of its column's type")
                        .context("line", self.records.line())
                        .context("column", self.records.names()[*index].escape_debug())
                })?;
            }
            rows += 1;
            bytes += self.records.record_bytes();
        }
        if rows == 0 {
            return Ok(None);
        }
        let arrays = builders.into_iter().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map(Some)
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "CSV columns do not make a batch")
                    .with_source(error)
            })
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

/// A column as it grows.
enum Builder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Date(Date32Builder),
    Time(CsvType, Int64Builder),
    Text(StringBuilder),
}

impl Builder {
    fn new(csv_type: CsvType) -> Self {
        match csv_type {
            CsvType::Bool => Self::Bool(BooleanBuilder::new()),
            CsvType::Int => Self::Int(Int64Builder::new()),
            CsvType::Float => Self::Float(Float64Builder::new()),
            CsvType::Date => Self::Date(Date32Builder::new()),
            CsvType::LocalMicros | CsvType::LocalNanos | CsvType::UtcMicros | CsvType::UtcNanos => {
                Self::Time(csv_type, Int64Builder::new())
            }
            CsvType::Text => Self::Text(StringBuilder::new()),
        }
    }

    /// Appends a field, null when it is empty; `None` when it is not of the type.
    fn append(&mut self, text: Option<&str>) -> Option<()> {
        match self {
            Self::Bool(builder) => builder.append_option(optional(text, parse_bool)?),
            Self::Int(builder) => builder.append_option(optional(text, parse_int)?),
            Self::Float(builder) => builder.append_option(optional(text, parse_float)?),
            Self::Date(builder) => builder.append_option(optional(text, parse_date)?),
            Self::Time(csv_type, builder) => {
                builder.append_option(optional(text, |text| parse_time(text, *csv_type))?);
            }
            Self::Text(builder) => builder.append_option(text),
        }
        Some(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Float(mut builder) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::Time(csv_type, mut builder) => {
                let numbers = builder.finish();
                let micros = || numbers.reinterpret_cast::<TimestampMicrosecondType>();
                let nanos = || numbers.reinterpret_cast::<TimestampNanosecondType>();
                match csv_type {
                    CsvType::LocalNanos => Arc::new(nanos()),
                    CsvType::UtcMicros => Arc::new(micros().with_timezone("UTC")),
                    CsvType::UtcNanos => Arc::new(nanos().with_timezone("UTC")),
                    _ => Arc::new(micros()),
                }
            }
            Self::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// Parses a field that is not empty; the outer `None` says that it does not parse.
#[expect(
    clippy::option_option,
    reason = "an empty field and a wrong one are different answers"
)]
fn optional<T>(text: Option<&str>, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => parse(text).map(Some),
    }
}

fn parse_time(text: &str, csv_type: CsvType) -> Option<i64> {
    let moment = Moment::parse(text)?;
    match csv_type {
        CsvType::LocalNanos | CsvType::UtcNanos => moment.nanos(),
        _ => Some(moment.micros()),
    }
}
