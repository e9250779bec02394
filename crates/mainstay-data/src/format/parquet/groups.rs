//! The rows of row groups, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use mainstay_core::{Error, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::Type;
use parquet::column::page::{Page, PageReader as _};
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::checked::{CheckedPages, Claims, uncompressed_bytes};
use super::undecodable;
use crate::format::BATCH_ROWS;
use crate::source::Source;

/// About how large a decoded batch is at most.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// What a value of a list takes beside its bytes.
const LEVEL_BYTES: u64 = 8;

/// Reads row groups, each with a reader of its own: how many rows are decoded at once depends on what the
/// group holds, so that neither wide rows nor a long value of a dictionary, that many rows refer to, make
/// huge batches.
pub(super) struct Groups {
    source: Source,
    metadata: ArrowReaderMetadata,
    mask: ProjectionMask,
    waiting: VecDeque<(usize, Option<RowSelection>)>,
    current: Option<ParquetRecordBatchReader>,
}

impl Groups {
    /// Reads all rows of some row groups, or those that `selection` says of all these groups together.
    pub(super) fn new(
        source: Source,
        metadata: ArrowReaderMetadata,
        mask: ProjectionMask,
        (groups, selection): (Vec<usize>, Option<RowSelection>),
    ) -> Self {
        let mut rest = selection;
        let mut waiting = VecDeque::with_capacity(groups.len());
        for group in groups {
            let rows = metadata.metadata().row_group(group).num_rows();
            let rows = usize::try_from(rows).unwrap_or(0);
            let selected = rest.as_mut().map(|rest| rest.split_off(rows));
            if rows > 0 && selected.as_ref().is_none_or(RowSelection::selects_any) {
                waiting.push_back((group, selected));
            }
        }
        Self {
            source,
            metadata,
            mask,
            waiting,
            current: None,
        }
    }

    fn open(
        &self,
        group: usize,
        selection: Option<RowSelection>,
    ) -> ParquetResult<ParquetRecordBatchReader> {
        let claims = Claims::of_groups(self.metadata.metadata(), group..group + 1)?;
        let mut pages = CheckedPages::new(self.source.clone(), claims);
        let rows = self.batch_rows(group, &mut pages)?;
        let metadata = self.metadata.clone();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(pages, metadata);
        let builder = builder
            .with_row_groups(vec![group])
            .with_batch_size(rows)
            .with_projection(self.mask.clone());
        match selection {
            Some(selection) => builder.with_row_selection(selection).build(),
            None => builder.build(),
        }
    }

    /// Chooses how many rows of a group to decode at once.
    fn batch_rows(&self, group: usize, pages: &mut CheckedPages) -> ParquetResult<usize> {
        let index = self.metadata.metadata().page_index_for_row_group(group);
        let group = self.metadata.metadata().row_group(group);
        let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        let mut row_bytes: u64 = 1;
        for (leaf, chunk) in group.columns().iter().enumerate() {
            if !self.mask.leaf_included(leaf) {
                continue;
            }
            let values = u64::try_from(chunk.num_values()).unwrap_or(0);
            let repeated = if chunk.column_descr().max_rep_level() > 0 {
                values.saturating_mul(LEVEL_BYTES)
            } else {
                0
            };
            // The decoder takes what is before the first page of an index for a dictionary.
            let first = index.offset_index(leaf);
            let first = first.and_then(|index| index.page_locations().first());
            let has_none = first.is_some_and(|first| {
                u64::try_from(first.offset).is_ok_and(|first| first == chunk.byte_range().0)
            });
            let longest = if has_none {
                0
            } else {
                longest_of_dictionary(chunk, rows, pages)?
            };
            row_bytes = row_bytes
                .saturating_add(uncompressed_bytes(chunk) / rows)
                .saturating_add(repeated / rows)
                .saturating_add(longest.saturating_mul(values.div_ceil(rows)));
        }
        Ok(usize::try_from(BATCH_BYTES / row_bytes)
            .map_or(BATCH_ROWS, |rows| rows.clamp(1, BATCH_ROWS)))
    }
}

/// Returns how long a value can be that rows refer to, 0 where they hold their values.
fn longest_of_dictionary(
    chunk: &ColumnChunkMetaData,
    rows: u64,
    pages: &mut CheckedPages,
) -> ParquetResult<u64> {
    let described = chunk.column_descr();
    match described.physical_type() {
        Type::FIXED_LEN_BYTE_ARRAY => {
            return Ok(u64::try_from(described.type_length()).unwrap_or(0));
        }
        Type::BYTE_ARRAY => {}
        _ => return Ok(0),
    }
    let (start, length) = chunk.byte_range();
    if length == 0 {
        return Ok(0);
    }
    let Some(dictionary) = pages.hold_dictionary(start)? else {
        return Ok(0);
    };
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let mut reader = SerializedPageReader::new(Arc::new(dictionary), chunk, rows, None)?;
    let Some(Page::DictionaryPage { buf, .. }) = reader.get_next_page()? else {
        return Ok(0);
    };
    let (mut rest, mut longest) = (buf.as_ref(), 0);
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length);
        longest = longest.max(length);
        let behind = usize::try_from(length)
            .ok()
            .and_then(|length| behind.get(length..));
        // What is wrong here the decoder says.
        rest = behind.unwrap_or_default();
    }
    Ok(longest.into())
}

impl Iterator for Groups {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.current.as_mut().and_then(Iterator::next) {
                return Some(batch.map_err(|error| {
                    Error::invalid("cannot decode the Parquet file").with_source(error)
                }));
            }
            let (group, selection) = self.waiting.pop_front()?;
            match self.open(group, selection) {
                Ok(reader) => self.current = Some(reader),
                Err(error) => return Some(Err(undecodable(error))),
            }
        }
    }
}
