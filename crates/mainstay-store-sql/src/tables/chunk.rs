//! How the bytes of an object lie in rows: the first in the object's own row, the rest in others.

use std::ops::Range;

use bytes::Bytes;

/// The number of bytes in every row of an object but its last. Part of the stored format.
pub(crate) const CHUNK_BYTES: u64 = 1 << 20;

/// Larger objects do not exist: whatever claims to be one is corrupt.
pub(crate) const MAX_OBJECT_BYTES: u64 = 256 << 20;

/// Cuts an object into its rows, at least one; numbered from 0.
pub(crate) fn rows(bytes: &Bytes) -> impl ExactSizeIterator<Item = Bytes> + '_ {
    let chunk = usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX);
    let count = bytes.len().div_ceil(chunk).max(1);
    (0..count).map(move |number| {
        let start = number * chunk;
        bytes.slice(start..bytes.len().min(start + chunk))
    })
}

/// A part of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The number of the row.
    pub(crate) number: u64,
    /// Where the part begins in the row, and how long it is.
    pub(crate) start: u64,
    pub(crate) len: u64,
}

/// Returns the parts that make up `range` of an object; none when it is empty.
pub(crate) fn pieces(range: Range<u64>) -> impl Iterator<Item = Piece> {
    let first = range.start / CHUNK_BYTES;
    let end = range.end.div_ceil(CHUNK_BYTES);
    let numbers = if range.is_empty() { 0..0 } else { first..end };
    numbers.map(move |number| {
        let offset = number * CHUNK_BYTES;
        let start = range.start.max(offset);
        let end = range.end.min(offset + CHUNK_BYTES);
        Piece {
            number,
            start: start - offset,
            len: end - start,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_at_least_one_row_and_none_is_empty_but_that() {
        let chunk = usize::try_from(CHUNK_BYTES).unwrap();
        for (len, lens) in [
            (0, vec![0]),
            (1, vec![1]),
            (chunk, vec![chunk]),
            (chunk + 1, vec![chunk, 1]),
            (3 * chunk, vec![chunk; 3]),
        ] {
            let bytes = Bytes::from(vec![7; len]);
            let cut: Vec<_> = rows(&bytes).map(|row| row.len()).collect();
            assert_eq!(cut, lens);
        }
    }

    #[test]
    fn pieces_joined_are_the_range() {
        let bounds = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1];
        let bounds = || {
            bounds
                .into_iter()
                .flat_map(|b| [b, b + CHUNK_BYTES, b + 5 * CHUNK_BYTES])
        };
        for start in bounds() {
            for end in bounds() {
                let mut at = start;
                for piece in pieces(start..end) {
                    assert_eq!(piece.number * CHUNK_BYTES + piece.start, at);
                    assert!(piece.len > 0 && piece.start + piece.len <= CHUNK_BYTES);
                    at += piece.len;
                }
                assert_eq!(at, end.max(start));
            }
        }
    }
}
