//! Reading Parquet files.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, ErrorKind, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use self::groups::Groups;
use self::prune::{Pruned, prune};
use super::OpenTable;
use crate::predicate::Predicate;
use crate::source::Source;

mod checked;
mod density;
pub(crate) mod footer;
mod groups;
pub(crate) mod index;
mod page_header;
mod pages;
mod prune;
mod select;
mod thrift;
mod window;
pub(crate) mod write;

pub(crate) use checked::Claims;
pub(super) use pages::{layout, unshared_bytes};
pub(crate) use select::{LeafPages, ParquetRows};
pub(crate) use window::Window;

/// A row group that says it becomes larger, as none of the writer profile does, is looked into before its rows are
/// decoded.
const LARGE_GROUP_BYTES: i64 = 320 * 1024 * 1024;

/// Opens a Parquet file; reads only the columns in `wanted`, in file order, when given.
///
/// Pages of which the statistics say that `filter` is true of no row are left out.
pub(super) fn open(
    source: &Source,
    wanted: Option<&[String]>,
    filter: Option<&Predicate>,
) -> Result<OpenTable> {
    let metadata = match filter {
        Some(_) => load(
            source,
            (PageIndexPolicy::Optional, PageIndexPolicy::Optional),
        )?,
        None => load_of_large(source)?,
    };
    let file = metadata.metadata();
    let schema = Arc::clone(metadata.schema());
    let mask = match wanted {
        None => ProjectionMask::all(),
        Some(wanted) => {
            let fields = schema.fields().iter().enumerate();
            let roots = fields
                .filter(|(_, field)| wanted.contains(field.name()))
                .map(|(index, _)| index);
            ProjectionMask::roots(metadata.parquet_schema(), roots)
        }
    };
    let wanted = match filter {
        Some(filter) => {
            let Pruned { groups, rows } = prune(filter, file, &schema);
            (groups, Some(rows))
        }
        None => ((0..file.num_row_groups()).collect(), None),
    };
    let rows = Groups::new(source.clone(), metadata, mask, wanted);
    Ok(OpenTable::of_parquet(schema, rows))
}

impl OpenTable {
    fn of_parquet(schema: SchemaRef, rows: Groups) -> Self {
        Self {
            schema,
            batches: Box::new(rows),
        }
    }
}

/// Reads the footer of a Parquet file, and the index of its pages where `policy` asks for it and there is one
/// that claims no more than it can hold.
fn load(
    source: &Source,
    (columns, offsets): (PageIndexPolicy, PageIndexPolicy),
) -> Result<ArrowReaderMetadata> {
    load_index(source, footer(source)?, (columns, offsets))
}

/// Reads the footer of a Parquet file, and where its pages are if it has row groups so large that their rows may
/// be much wider in some places than in others.
fn load_of_large(source: &Source) -> Result<ArrowReaderMetadata> {
    let metadata = footer(source)?;
    let mut groups = metadata.row_groups().iter();
    let is_large = groups.any(|group| group.total_byte_size() > LARGE_GROUP_BYTES);
    let offsets = if is_large {
        PageIndexPolicy::Optional
    } else {
        PageIndexPolicy::Skip
    };
    load_index(source, metadata, (PageIndexPolicy::Skip, offsets))
}

fn load_index(
    source: &Source,
    metadata: ParquetMetaData,
    (columns, offsets): (PageIndexPolicy, PageIndexPolicy),
) -> Result<ArrowReaderMetadata> {
    let is_wanted = columns != PageIndexPolicy::Skip || offsets != PageIndexPolicy::Skip;
    let range = is_wanted
        .then(|| index::range(&metadata, source.size()))
        .flatten();
    let metadata = match range {
        Some(range) => {
            let held = source.read_range(range.clone())?;
            let held = Window::new(source.size(), range.start, held);
            with_index(metadata, &held, (columns, offsets)).map_err(undecodable)?
        }
        None => metadata,
    };
    ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new()).map_err(undecodable)
}

/// Reads the footer of a Parquet file, whose claims are checked.
fn footer(source: &Source) -> Result<ParquetMetaData> {
    footer::check(source.size(), |range| Ok(source.read_range(range)?))?;
    let metadata = ParquetMetaDataReader::new()
        .parse_and_finish(source)
        .map_err(undecodable)?;
    footer::check_claims(&metadata, source.size())?;
    Ok(metadata)
}

/// Adds the index of pages that `held` holds, unless it claims what cannot be.
pub(crate) fn with_index(
    metadata: ParquetMetaData,
    held: &Window,
    (columns, offsets): (PageIndexPolicy, PageIndexPolicy),
) -> parquet::errors::Result<ParquetMetaData> {
    if index::is_sound(&metadata, |range| held.get(range)) {
        let mut reader = ParquetMetaDataReader::new_with_metadata(metadata.clone())
            .with_column_index_policy(columns)
            .with_offset_index_policy(offsets);
        reader.read_page_indexes(held)?;
        let indexed = reader.finish()?;
        if index::is_within_chunks(&indexed) {
            return Ok(indexed);
        }
    }
    if [columns, offsets].contains(&PageIndexPolicy::Required) {
        let why = "an index of pages that claims what cannot be";
        Err(ParquetError::General(why.to_owned()))
    } else {
        Ok(metadata)
    }
}

fn undecodable(error: ParquetError) -> Error {
    let kind = match error {
        ParquetError::NYI(_) => ErrorKind::Unsupported,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, "cannot decode the Parquet file").with_source(error)
}
