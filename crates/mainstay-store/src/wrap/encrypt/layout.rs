//! Where plain bytes lie among the stored ones.
//!
//! Every segment but the last holds [`SEGMENT`] plain bytes and takes [`STORED`]. The last holds the
//! rest, at least one byte unless the object is empty.

use std::ops::Range;

use bytes::Bytes;
use mainstay_core::{Error, Result};

use super::envelope::{SEGMENT_LEN, TAG_LEN};
use super::head::{self, HEAD_LEN};
use crate::{ByteRange, Key, Object};

/// Plain bytes of a full segment.
const SEGMENT: u64 = SEGMENT_LEN as u64;
/// Stored bytes besides the plain ones, of any segment.
const OVERHEAD: u64 = (HEAD_LEN + TAG_LEN) as u64;
/// Stored bytes of a full segment.
const STORED: u64 = SEGMENT + OVERHEAD;

/// Returns the stored size of an object of `plain` bytes.
pub(super) fn stored_size(plain: u64) -> u64 {
    let segments = plain.div_ceil(SEGMENT).max(1);
    plain.saturating_add(segments.saturating_mul(OVERHEAD))
}

/// Returns the plain size of an object of `stored` bytes; `None` when no object has that many.
pub(super) fn plain_size(stored: u64) -> Option<u64> {
    let segments = stored.div_ceil(STORED).max(1);
    let plain = stored.checked_sub(segments * OVERHEAD)?;
    (stored_size(plain) == stored).then_some(plain)
}

/// Returns how many plain bytes fit into an object of at most `stored`.
pub(super) fn largest_plain(stored: u64) -> u64 {
    let rest = (stored % STORED).saturating_sub(OVERHEAD);
    stored / STORED * SEGMENT + rest
}

/// Returns what to ask the storage for: whole segments that hold `range`.
pub(super) fn stored_range(range: &ByteRange) -> ByteRange {
    match range {
        ByteRange::Full => ByteRange::Full,
        ByteRange::Offsets(range) => {
            let start = (range.start / SEGMENT).saturating_mul(STORED);
            let end = if range.start < range.end {
                range.end.div_ceil(SEGMENT).saturating_mul(STORED)
            } else {
                start
            };
            ByteRange::Offsets(start..end)
        }
        ByteRange::Last(0) => ByteRange::Last(0),
        // The last segment may be short, so that one more may be needed than they would fill.
        ByteRange::Last(count) => {
            let segments = count.div_ceil(SEGMENT) + 1;
            ByteRange::Last(segments.saturating_mul(STORED))
        }
    }
}

/// What the storage gave for [`stored_range`].
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// The plain size of the object, authenticated as soon as a segment is.
    pub(super) size: u64,
    /// The number of the first segment needed, and the stored bytes from there on; `None` when the
    /// storage was asked for none or has none there.
    pub(super) segments: Option<(u64, &'a [u8])>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(object: &Key, stored: &'a Object, asked: &ByteRange) -> Result<Self> {
        let given = stored_range(asked).within(stored.size);
        if stored.bytes.len() as u64 != given.end - given.start {
            return Err(Error::corrupt(
                object,
                "the storage gave another range than asked for",
            ));
        }
        let Some(size) = plain_size(stored.size) else {
            return Err(if given.start == 0 && head::is_present(&stored.bytes) {
                Error::corrupt(object, "the object was cut or extended")
            } else {
                not_encrypted(object)
            });
        };
        if stored.bytes.is_empty() {
            let segments = None;
            return Ok(Self { size, segments });
        }
        let last = (stored.size - 1) / STORED;
        let first = (asked.within(size).start / SEGMENT).min(last);
        let skipped = usize::try_from(first * STORED - given.start).unwrap_or(usize::MAX);
        let segments = Some((first, stored.bytes.get(skipped..).unwrap_or_default()));
        Ok(Self { size, segments })
    }
}

/// Cuts the plain bytes `wanted` out of those of the segments from `first` on.
pub(super) fn cut(plain: &Bytes, first: u64, wanted: &Range<u64>) -> Bytes {
    let start = first * SEGMENT;
    let within = ByteRange::Offsets(wanted.start - start..wanted.end - start);
    Object::cut(plain, &within).bytes
}

pub(super) fn not_encrypted(object: &Key) -> Error {
    Error::corrupt(object, "the object is not encrypted")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [u64; 9] = [
        0,
        1,
        SEGMENT - 1,
        SEGMENT,
        SEGMENT + 1,
        2 * SEGMENT,
        2 * SEGMENT + 1,
        3 * SEGMENT,
        1 << 40,
    ];

    #[test]
    fn a_stored_size_has_one_plain_size_and_sizes_in_between_have_none() {
        for plain in EDGES {
            assert_eq!(plain_size(stored_size(plain)), Some(plain));
        }
        // Too short for a segment, and a last segment without a byte.
        for stored in [
            0,
            OVERHEAD - 1,
            STORED + 1,
            STORED + OVERHEAD,
            2 * STORED + 5,
        ] {
            assert_eq!(plain_size(stored), None, "{stored}");
        }
        let possible = (0..3 * STORED).filter(|stored| plain_size(*stored).is_some());
        assert_eq!(possible.count() as u64, 3 * SEGMENT - 1 + 1);
    }

    #[test]
    fn the_largest_object_fits_and_one_byte_more_does_not() {
        for plain in EDGES {
            for bound in stored_size(plain)..stored_size(plain + 1) {
                assert_eq!(largest_plain(bound), plain);
            }
        }
        assert_eq!(largest_plain(OVERHEAD - 1), 0);
        assert!(largest_plain(u64::MAX) > u64::MAX / 2);
    }
}
