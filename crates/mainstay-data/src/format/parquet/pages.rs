//! Cutting Parquet files at their pages.
//!
//! A page is compressed by itself, so a page whose values stay is the same bytes wherever it lies. Cut at
//! its ends, it is found again however the pages around it change.
//!
//! Source: Apache Parquet, `parquet.thrift`.

use std::collections::BTreeSet;

use mainstay_core::BulkDigest;
use mainstay_repo::{Cut, Layout};
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::footer;
use super::page_header::PageHeader;
use crate::source::Source;

/// Shorter pages are cut by content together, so that they do not cost a chunk each.
const MIN_PAGE: u64 = 8 * 1024;
/// The longest chunk that a page is cut into.
const BLOCK: u64 = 128 * 1024;
/// Files of more pages are cut by content.
const MAX_PAGES: usize = 1 << 20;
/// How much of a page is read for its header: statistics make some long.
const HEADER_WINDOWS: [u64; 3] = [256, 16 * 1024, 1024 * 1024];

/// A part of a file, from where the one before ends.
type Section = (u64, Cut);

/// Finds the pages of a Parquet file; `None` when it is not as it should be.
pub(in crate::format) fn layout(source: &Source) -> Option<Layout> {
    let mut layout = Layout::new();
    for (bytes, cut) in sections(source)? {
        layout.push(bytes, cut);
    }
    Some(layout)
}

/// Counts the bytes of pages that are in none of these chunks; `None` when the file is not as it should be.
pub(in crate::format) fn unshared_bytes(
    source: &Source,
    held: &BTreeSet<BulkDigest>,
) -> Option<u64> {
    let (mut start, mut unshared) = (0, 0);
    for (bytes, cut) in sections(source)? {
        let end = start + bytes;
        while cut == Cut::Blocks && start < end {
            let length = BLOCK.min(end - start);
            let block = source.read_at(start, usize::try_from(length).ok()?).ok()?;
            let chunk = BulkDigest::from_bytes(*blake3::hash(&block).as_bytes());
            if !held.contains(&chunk) {
                unshared += length;
            }
            start += length;
        }
        start = end;
    }
    Some(unshared)
}

fn sections(source: &Source) -> Option<Vec<Section>> {
    let metadata = footer(source).ok()?;
    let groups = metadata.row_groups().iter();
    let mut columns: Vec<&ColumnChunkMetaData> =
        groups.flat_map(RowGroupMetaData::columns).collect();
    columns.sort_by_key(|column| column.byte_range());
    let mut found = Sections::default();
    for column in columns {
        let (start, length) = column.byte_range();
        let end = start
            .checked_add(length)
            .filter(|&end| end <= source.size())?;
        // What lies between: the magic, bloom filters, indexes.
        found.by_content(start.checked_sub(found.end)?);
        if column.compression() == Compression::UNCOMPRESSED {
            // Values lie there as they are, and cuts by content find more than pages do.
            found.break_here();
            found.by_content(length);
            found.break_here();
        } else {
            found.pages(source, end)?;
        }
    }
    Some(found.finished)
}

#[derive(Default)]
struct Sections {
    finished: Vec<Section>,
    /// Bytes behind those that are cut by content together.
    pending: u64,
    /// Where all of them end.
    end: u64,
    pages: usize,
}

impl Sections {
    fn by_content(&mut self, bytes: u64) {
        self.pending += bytes;
        self.end += bytes;
    }

    /// Ends the section that is cut by content.
    fn break_here(&mut self) {
        if self.pending > 0 {
            self.finished.push((self.pending, Cut::Content));
            self.pending = 0;
        }
    }

    /// Adds the pages up to `end`.
    fn pages(&mut self, source: &Source, end: u64) -> Option<()> {
        while self.end < end {
            self.pages += 1;
            let bytes = page(source, self.end, end).filter(|_| self.pages <= MAX_PAGES)?;
            if bytes < MIN_PAGE {
                self.by_content(bytes);
            } else {
                self.break_here();
                self.finished.push((bytes, Cut::Blocks));
                self.end += bytes;
            }
        }
        // Small pages of one column are not cut together with those of the next.
        self.break_here();
        Some(())
    }
}

/// Reads how many bytes the page at `start`, which ends at `end` or before, and its header take.
fn page(source: &Source, start: u64, end: u64) -> Option<u64> {
    HEADER_WINDOWS.into_iter().find_map(|window| {
        let window = window.min(end - start);
        let bytes = source.read_at(start, usize::try_from(window).ok()?).ok()?;
        let header = PageHeader::parse(&bytes)?;
        let bytes = header.length.checked_add(header.compressed)?;
        (bytes <= end - start).then_some(bytes)
    })
}

#[cfg(test)]
mod tests;
