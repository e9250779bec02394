//! Reading Parquet files.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, ErrorKind, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::{BATCH_ROWS, OpenTable};
use crate::source::Source;

mod footer;
mod pages;
mod select;
mod thrift;
pub(crate) mod write;

pub(super) use pages::{layout, unshared_bytes};
pub(super) use select::open_rows;
pub(crate) use select::{LeafPages, leaf_pages};

/// About how large a decoded batch is when the footer tells the truth.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// More rows to a byte than any writer reaches, run-length encoding included.
const MAX_ROWS_PER_BYTE: u64 = 1 << 16;

/// Opens a Parquet file; reads only the columns in `wanted`, in file order, when given.
pub(super) fn open(source: &Source, wanted: Option<&[String]>) -> Result<OpenTable> {
    footer::check(source)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(source.clone()).map_err(undecodable)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(u64::MAX);
    if rows / MAX_ROWS_PER_BYTE > source.size() {
        return Err(Error::invalid(format!(
            "the footer claims {rows} rows in {} bytes",
            source.size()
        )));
    }
    let schema = Arc::clone(builder.schema());
    let mask = match wanted {
        None => ProjectionMask::all(),
        Some(wanted) => {
            let fields = schema.fields().iter().enumerate();
            let roots = fields
                .filter(|(_, field)| wanted.contains(field.name()))
                .map(|(index, _)| index);
            ProjectionMask::roots(builder.parquet_schema(), roots)
        }
    };
    let batch_rows = batch_rows(builder.metadata());
    let reader = builder
        .with_batch_size(batch_rows)
        .with_projection(mask)
        .build()
        .map_err(undecodable)?;
    Ok(OpenTable::of_parquet(schema, reader))
}

impl OpenTable {
    fn of_parquet(schema: SchemaRef, reader: ParquetRecordBatchReader) -> Self {
        Self {
            schema,
            batches: Box::new(reader.map(|batch| {
                batch.map_err(|error| {
                    Error::invalid("cannot decode the Parquet file").with_source(error)
                })
            })),
        }
    }
}

/// Chooses how many rows to decode at once, so that wide rows do not make huge batches.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let widest = metadata.row_groups().iter().filter_map(|group| {
        let rows = u64::try_from(group.num_rows())
            .ok()
            .filter(|&rows| rows > 0)?;
        Some(u64::try_from(group.total_byte_size()).ok()? / rows)
    });
    let row_bytes = widest.max().unwrap_or(0).max(1);
    usize::try_from(BATCH_BYTES / row_bytes).map_or(BATCH_ROWS, |rows| rows.clamp(1, BATCH_ROWS))
}

fn undecodable(error: ParquetError) -> Error {
    let kind = match error {
        ParquetError::NYI(_) => ErrorKind::Unsupported,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, "cannot decode the Parquet file").with_source(error)
}
