//! The rows of row groups, one after the other.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
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
use super::density::rows_at_once;
use super::undecodable;
use crate::format::BATCH_ROWS;
use crate::source::Source;

/// About how large a decoded batch is at most.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// A column chunk that claims as much may hold more than 32-bit offsets can tell, since pages may hold more than it
/// claims.
const OVERFLOW_BYTES: u64 = 512 * 1024 * 1024;
/// How many times fewer rows are decoded at once where more could not be.
const FEWER: usize = 8;
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
    current: Option<Current>,
    /// [`OVERFLOW_BYTES`], but in tests.
    overflow_bytes: u64,
}

/// A row group that is decoded.
struct Current {
    group: usize,
    selection: Option<RowSelection>,
    reader: ParquetRecordBatchReader,
    /// How many rows are decoded at once.
    at_once: usize,
    /// How many of those selected have been decoded.
    decoded: usize,
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
            overflow_bytes: OVERFLOW_BYTES,
        }
    }

    /// Opens the selected rows of a group, so many at once, or as many as it is thought to hold for.
    fn open(
        &self,
        group: usize,
        selection: Option<RowSelection>,
        at_once: Option<usize>,
    ) -> ParquetResult<Current> {
        let claims = Claims::of_groups(self.metadata.metadata(), group..group + 1)?;
        let mut pages = CheckedPages::new(self.source.clone(), claims);
        let at_once = match at_once {
            Some(rows) => rows,
            None => self.batch_rows(group, &mut pages)?,
        };
        let metadata = self.metadata.clone();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(pages, metadata);
        let builder = builder
            .with_row_groups(vec![group])
            .with_batch_size(at_once)
            .with_projection(self.mask.clone());
        let reader = match selection.clone() {
            Some(selection) => builder.with_row_selection(selection).build(),
            None => builder.build(),
        };
        Ok(Current {
            group,
            selection,
            reader: reader?,
            at_once,
            decoded: 0,
        })
    }

    /// Opens what is left of a group where too many rows were decoded at once; `None` where that is not why they
    /// could not be.
    fn open_rest(&self, failed: Current) -> Option<ParquetResult<Current>> {
        let is_too_much = failed.at_once > 1 && self.may_overflow(failed.group);
        if !is_too_much || self.source.has_failed() {
            return None;
        }
        let rows = self.metadata.metadata().row_group(failed.group).num_rows();
        let rows = match &failed.selection {
            Some(selection) => selection.row_count(),
            None => usize::try_from(rows).ok()?,
        };
        let left = std::iter::once(failed.decoded..rows);
        let left = RowSelection::from_consecutive_ranges(left, rows);
        let selection = match failed.selection {
            Some(selection) => selection.and_then(&left),
            None => left,
        };
        let at_once = (failed.at_once / FEWER).max(1);
        Some(self.open(failed.group, Some(selection), Some(at_once)))
    }

    /// Reports whether a column chunk may hold more than the offsets of one batch can tell.
    fn may_overflow(&self, group: usize) -> bool {
        let group = self.metadata.metadata().row_group(group);
        let mut chunks = group.columns().iter();
        chunks.any(|chunk| uncompressed_bytes(chunk) >= self.overflow_bytes)
    }

    /// Decodes the next batch, if there is one.
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(mut current) = self.current.take() else {
                let Some((group, selection)) = self.waiting.pop_front() else {
                    return Ok(None);
                };
                let opened = self.open(group, selection, None);
                self.current = Some(opened.map_err(undecodable)?);
                continue;
            };
            // Where offsets overflow, some decoders panic.
            let decoded = catch_unwind(AssertUnwindSafe(|| current.reader.next().transpose()));
            match decoded {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(batch))) => {
                    current.decoded += batch.num_rows();
                    self.current = Some(current);
                    return Ok(Some(batch));
                }
                failed => match self.open_rest(current) {
                    Some(opened) => self.current = Some(opened.map_err(undecodable)?),
                    None => return Err(undecoded(failed)),
                },
            }
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
        let mean = usize::try_from(BATCH_BYTES / row_bytes);
        let mut at_once = mean.map_or(BATCH_ROWS, |rows| rows.clamp(1, BATCH_ROWS));
        for (leaf, chunk) in group.columns().iter().enumerate() {
            if let Some(pages) = index.offset_index(leaf)
                && self.mask.leaf_included(leaf)
                && uncompressed_bytes(chunk) > BATCH_BYTES
            {
                at_once = rows_at_once(chunk, pages, (at_once, BATCH_BYTES));
            }
        }
        Ok(at_once)
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

fn undecoded<T>(failed: std::thread::Result<std::result::Result<T, ArrowError>>) -> Error {
    match failed {
        Ok(Err(cause)) => Error::invalid("cannot decode the Parquet file").with_source(cause),
        _ => Error::invalid("malformed: the decoder gave up"),
    }
}

impl Iterator for Groups {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

#[cfg(test)]
mod tests;
