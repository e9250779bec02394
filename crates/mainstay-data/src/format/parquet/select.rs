//! Reading some rows of a Parquet file, and where its pages are.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, RowSelection};
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData};

use super::groups::Groups;
use super::load;
use crate::format::OpenTable;
use crate::source::Source;

/// The pages of one leaf of a column, in row order.
#[derive(Debug)]
pub(crate) struct LeafPages {
    /// The name of its column.
    pub(crate) column: String,
    /// Where in the column it is and how its values are stored: pages of leaves alike in this mean the
    /// same when they are the same bytes.
    pub(crate) kind: String,
    pub(crate) pages: Vec<Page>,
}

/// A data page.
#[derive(Debug)]
pub(crate) struct Page {
    /// Numbers of its rows in the file.
    pub(crate) rows: Range<u64>,
    /// Where it and its header are.
    pub(crate) bytes: Range<u64>,
    /// Where the dictionary is that it refers to; empty when there is none.
    pub(crate) dictionary: Range<u64>,
}

/// A Parquet file of which some rows are read, its footer and index at hand.
pub(crate) struct ParquetRows {
    source: Source,
    metadata: ArrowReaderMetadata,
}

impl ParquetRows {
    pub(in crate::format) fn open(source: &Source) -> Result<Self> {
        Ok(Self {
            metadata: load(source, (PageIndexPolicy::Skip, PageIndexPolicy::Optional))?,
            source: source.clone(),
        })
    }

    /// Returns the schema of the file, of all its columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    pub(in crate::format) fn source(&self) -> &Source {
        &self.source
    }

    /// Finds the pages; `None` when the index does not say, or not as it should.
    pub(in crate::format) fn pages(&self) -> Option<Vec<LeafPages>> {
        let metadata = self.metadata.metadata();
        let leaves = metadata.file_metadata().schema_descr().num_columns();
        (0..leaves).map(|leaf| pages_of(metadata, leaf)).collect()
    }

    /// Begins to read the rows of `ranges`, which rise and do not overlap, of one column or all; reads
    /// the pages that they are in.
    pub(in crate::format) fn read(
        &self,
        column: Option<&str>,
        ranges: &[Range<u64>],
    ) -> Result<OpenTable> {
        let file = self.metadata.metadata();
        let total = file.file_metadata().num_rows();
        let total = number(u64::try_from(total).unwrap_or(0))?;
        let ranges = ranges
            .iter()
            .map(|range| Ok(number(range.start)?..number(range.end)?))
            .collect::<Result<Vec<_>>>()?;
        if ranges.last().is_some_and(|last| last.end > total) {
            return Err(Error::invalid("the file has fewer rows than it had"));
        }
        let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), total);
        let schema = Arc::clone(self.metadata.schema());
        let mask = match column {
            None => ProjectionMask::all(),
            Some(column) => {
                let root = schema.index_of(column).map_err(|cause| {
                    Error::invalid("the file has not the columns it had").with_source(cause)
                })?;
                ProjectionMask::roots(self.metadata.parquet_schema(), [root])
            }
        };
        let groups = (0..file.num_row_groups()).collect();
        let (source, metadata) = (self.source.clone(), self.metadata.clone());
        let rows = Groups::new(source, metadata, mask, (groups, Some(selection)));
        Ok(OpenTable::of_parquet(schema, rows))
    }
}

fn number(row: u64) -> Result<usize> {
    usize::try_from(row)
        .map_err(|cause| Error::invalid("more rows than this machine can count").with_source(cause))
}

fn pages_of(metadata: &ParquetMetaData, leaf: usize) -> Option<LeafPages> {
    let described = metadata.file_metadata().schema_descr().column(leaf);
    let (column, path) = described.path().parts().split_first()?;
    let mut found = LeafPages {
        column: column.clone(),
        kind: format!(
            "{path:?} {:?} {:?} {:?} {} {}",
            described.self_type(),
            described.logical_type_ref(),
            described.converted_type(),
            described.max_def_level(),
            described.max_rep_level()
        ),
        pages: Vec::new(),
    };
    let (mut first_row, mut codec) = (0, None);
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let index = metadata.page_index_for_row_group(number);
        let locations = index.offset_index(leaf)?.page_locations();
        let chunk = group.column(leaf);
        let rows = u64::try_from(group.num_rows()).ok()?;
        if *codec.get_or_insert(chunk.compression()) != chunk.compression() {
            return None;
        }
        let bytes = chunk_bytes(chunk)?;
        let dictionary = bytes.start..start(locations.first()?.offset)?;
        let mut expected = dictionary.end;
        for (at, location) in locations.iter().enumerate() {
            let begin = start(location.offset)?;
            let end = begin + u64::try_from(location.compressed_page_size).ok()?;
            let row = u64::try_from(location.first_row_index).ok()?;
            let next = locations
                .get(at + 1)
                .map(|next| u64::try_from(next.first_row_index));
            let next = next.transpose().ok()?.unwrap_or(rows);
            let as_it_should = begin == expected
                && end <= bytes.end
                && row <= next
                && next <= rows
                && (at > 0 || row == 0);
            if !as_it_should {
                return None;
            }
            expected = end;
            // Writers that cut pages by content end some where they begin.
            if row < next {
                found.pages.push(Page {
                    rows: first_row + row..first_row + next,
                    bytes: begin..end,
                    dictionary: dictionary.clone(),
                });
            }
        }
        first_row += rows;
    }
    found.kind = format!("{} {codec:?}", found.kind);
    Some(found)
}

fn chunk_bytes(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let (start, length) = chunk.byte_range();
    Some(start..start.checked_add(length)?)
}

fn start(offset: i64) -> Option<u64> {
    u64::try_from(offset).ok()
}
