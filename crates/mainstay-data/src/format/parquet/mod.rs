//! Reading Parquet files.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, ErrorKind, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};

use self::prune::{Pruned, prune};
use super::{BATCH_ROWS, OpenTable};
use crate::predicate::Predicate;
use crate::source::Source;

mod footer;
mod pages;
mod prune;
mod select;
mod thrift;
pub(crate) mod write;

pub(super) use pages::{layout, unshared_bytes};
pub(crate) use select::{LeafPages, ParquetRows};

/// About how large a decoded batch is when the footer tells the truth.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// More rows to a byte than any writer reaches, run-length encoding included.
const MAX_ROWS_PER_BYTE: u64 = 1 << 16;

/// Opens a Parquet file; reads only the columns in `wanted`, in file order, when given.
///
/// Pages of which the statistics say that `filter` is true of no row are left out.
pub(super) fn open(
    source: &Source,
    wanted: Option<&[String]>,
    filter: Option<&Predicate>,
) -> Result<OpenTable> {
    footer::check(source)?;
    let index = match filter {
        Some(_) => PageIndexPolicy::Optional,
        None => PageIndexPolicy::Skip,
    };
    let options = ArrowReaderOptions::new().with_page_index_policy(index);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(source.clone(), options)
        .map_err(undecodable)?;
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
    let builder = match filter {
        Some(filter) => {
            let Pruned { groups, rows } = prune(filter, builder.metadata(), &schema);
            builder.with_row_groups(groups).with_row_selection(rows)
        }
        None => builder,
    };
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
