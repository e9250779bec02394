//! How many rows of a column chunk can be decoded at once where some are wider than others.

use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use super::checked::uncompressed_bytes;

/// A page of a column chunk.
#[derive(Debug, Clone, Copy)]
struct Page {
    first_row: u64,
    bytes: u64,
}

/// Returns how many rows at once take no more than `most` bytes of a column chunk wherever they begin, as its index
/// of pages tells, or one.
///
/// Pages whose uncompressed size the index does not tell are taken to compress as the whole chunk does.
pub(super) fn rows_at_once(
    chunk: &ColumnChunkMetaData,
    index: &OffsetIndexMetaData,
    (rows, most): (usize, u64),
) -> usize {
    let compressed = u64::try_from(chunk.compressed_size()).unwrap_or(0).max(1);
    let whole = u128::from(uncompressed_bytes(chunk));
    let known = index.unencoded_byte_array_data_bytes();
    let pages = index.page_locations().iter().enumerate();
    let pages = pages.map(|(number, page)| {
        let told = known.and_then(|known| u64::try_from(*known.get(number)?).ok());
        let size = u64::try_from(page.compressed_page_size).unwrap_or(0);
        let likely = u128::from(size) * whole / u128::from(compressed);
        Page {
            first_row: u64::try_from(page.first_row_index).unwrap_or(0),
            bytes: told.unwrap_or_else(|| u64::try_from(likely).unwrap_or(u64::MAX)),
        }
    });
    fitting(&pages.collect::<Vec<_>>(), rows, most)
}

/// Halves the number of rows until the pages that so many are in never have more than `most` bytes.
fn fitting(pages: &[Page], mut rows: usize, most: u64) -> usize {
    while rows > 1 && densest(pages, rows as u64) > most {
        rows /= 2;
    }
    rows
}

/// Returns the most bytes of pages that so many rows are in which begin with a page.
fn densest(pages: &[Page], rows: u64) -> u64 {
    let (mut end, mut sum, mut most) = (0, 0_u64, 0);
    for (start, first) in pages.iter().enumerate() {
        let behind = first.first_row.saturating_add(rows);
        // The first page alone may have more rows, of which only as many are decoded.
        while end < pages.len() && (end == start || pages[end].first_row < behind) {
            sum = sum.saturating_add(pages[end].bytes);
            end += 1;
        }
        let inside = match pages.get(start + 1) {
            Some(next) if end == start + 1 => share(
                first.bytes,
                rows,
                next.first_row.saturating_sub(first.first_row),
            ),
            _ => sum,
        };
        most = most.max(inside);
        sum = sum.saturating_sub(first.bytes);
    }
    most
}

/// Returns what `part` of so many rows take of their bytes.
fn share(bytes: u64, part: u64, rows: u64) -> u64 {
    let bytes = u128::from(bytes) * u128::from(part.min(rows)) / u128::from(rows.max(1));
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages<const N: usize>(pages: [(u64, u64); N]) -> Vec<Page> {
        let page = |(first_row, bytes)| Page { first_row, bytes };
        pages.map(page).to_vec()
    }

    #[test]
    fn rows_are_as_few_as_the_widest_pages_ask_for() {
        let narrow = pages([(0, 100), (1_000, 100), (2_000, 100)]);
        assert_eq!(fitting(&narrow, 8_192, 300), 8_192);
        // Two pages and a part of the third would be more than two pages have.
        assert_eq!(fitting(&narrow, 2_048, 200), 1_024);
        let wide = pages([
            (0, 100),
            (1_000, 1_000),
            (1_010, 1_000),
            (1_020, 1_000),
            (1_030, 10),
        ]);
        assert_eq!(fitting(&wide, 8_192, 4_000), 8_192);
        assert_eq!(fitting(&wide, 8_192, 2_000), 16);
        assert_eq!(fitting(&wide, 8_192, 1_000), 8);
        assert_eq!(fitting(&wide, 8_192, 1), 1);
        assert_eq!(fitting(&[], 8_192, 1), 8_192);
    }
}
