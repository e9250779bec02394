//! The index of pages, looked at before the decoder does: it reserves as many places as a list claims.
//!
//! Source: Apache Parquet, `parquet.thrift`.

use std::ops::Range;

use bytes::Bytes;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use super::thrift::{Cursor, LIST};

/// The most bytes of an index that are read.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Three fields and the end of a struct.
const MIN_LOCATION_BYTES: usize = 7;

/// Tells where the indexes of all column chunks lie, together; `None` when there are none, or not where they
/// could be read: then a file is read without.
pub(crate) fn range(metadata: &ParquetMetaData, size: u64) -> Option<Range<u64>> {
    let ranges = chunks(metadata).flat_map(|chunk| {
        let columns = chunk.column_index_offset().zip(chunk.column_index_length());
        let offsets = chunk.offset_index_offset().zip(chunk.offset_index_length());
        columns.into_iter().chain(offsets)
    });
    let mut all: Option<Range<u64>> = None;
    for (start, length) in ranges {
        let start = u64::try_from(start).ok()?;
        let end = start.checked_add(u64::try_from(length).ok()?)?;
        all = Some(all.map_or(start..end, |all| all.start.min(start)..all.end.max(end)));
    }
    all.filter(|all| all.end <= size && all.end - all.start <= MAX_BYTES)
}

/// Reports whether no list of the offset indexes, read from `get`, claims more than its bytes can hold.
pub(crate) fn is_sound(
    metadata: &ParquetMetaData,
    get: impl Fn(&Range<u64>) -> Option<Bytes>,
) -> bool {
    chunks(metadata).all(|chunk| {
        let is_told =
            chunk.offset_index_offset().is_some() && chunk.offset_index_length().is_some();
        if !is_told {
            return true;
        }
        let bytes = chunk.offset_index_offset().zip(chunk.offset_index_length());
        let bytes = bytes.and_then(|(start, length)| {
            let start = u64::try_from(start).ok()?;
            get(&(start..start.checked_add(u64::try_from(length).ok()?)?))
        });
        bytes.is_some_and(|bytes| begins_with_list(&bytes))
    })
}

fn chunks(metadata: &ParquetMetaData) -> impl Iterator<Item = &ColumnChunkMetaData> {
    let groups = metadata.row_groups().iter();
    groups.flat_map(RowGroupMetaData::columns)
}

/// Reports whether all pages of the offset indexes are within their column chunks, and their rows in order and
/// within their row groups.
pub(crate) fn is_within_chunks(metadata: &ParquetMetaData) -> bool {
    let Some(index) = metadata.page_index() else {
        return true;
    };
    metadata
        .row_groups()
        .iter()
        .enumerate()
        .all(|(number, group)| {
            let mut columns = group.columns().iter().enumerate();
            columns.all(|(leaf, chunk)| {
                let (start, length) = chunk.byte_range();
                let end = start.saturating_add(length);
                let mut rows = 0;
                let mut pages = index.page_locations(number, leaf).into_iter().flatten();
                pages.all(|page| {
                    let is_in_order = page.first_row_index >= rows;
                    rows = page.first_row_index;
                    let place = u64::try_from(page.offset).ok();
                    let size = u64::try_from(page.compressed_page_size).ok();
                    is_in_order
                        && rows <= group.num_rows()
                        && place.zip(size).is_some_and(|(place, size)| {
                            place >= start && place <= end && size <= end - place
                        })
                })
            })
        })
}

/// An offset index begins with the list of its pages.
fn begins_with_list(index: &[u8]) -> bool {
    let mut cursor = Cursor::new(index);
    cursor.field(0) == Some((1, LIST))
        && cursor
            .list()
            .is_some_and(|(pages, _)| pages <= cursor.left() / MIN_LOCATION_BYTES)
}
