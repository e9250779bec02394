//! What is read at once of two sides: a part of a pair of tensors, or several pairs that lie side by side.

use std::ops::Range;

use mainstay_repo::Blob;

use super::element::ElementType;
use super::stored::Stored;

/// The most bytes of a side: what one request of the repository brings.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of both sides that hold parts of the same pairs, one after the other.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) before: Side,
    pub(super) after: Side,
    /// What lies in it, in order; never empty.
    pub(super) parts: Vec<Part>,
}

/// Bytes of a file.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) blob: Blob,
    pub(super) range: Range<u64>,
}

/// What of one pair lies in a stretch: whole elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// The number of the pair.
    pub(super) pair: usize,
    pub(super) dtype: ElementType,
    pub(super) bytes: usize,
}

/// Divides pairs of one type and shape each into stretches, in order.
///
/// Each pair is cut at the same places wherever it lies, so that its sums are those of the same parts.
pub(super) fn stretches(pairs: &[(Stored, Stored)]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (pair, (before, after)) in pairs.iter().enumerate() {
        let dtype = after.tensor.dtype;
        let most = MAX_BYTES - MAX_BYTES % dtype.unit();
        let mut begin = 0;
        while begin < after.tensor.bytes {
            let left = usize::try_from(after.tensor.bytes - begin).unwrap_or(most);
            let bytes = left.min(most);
            let side = |stored: &Stored| {
                let start = stored.tensor.offset + begin;
                Side {
                    blob: stored.blob.clone(),
                    range: start..start + bytes as u64,
                }
            };
            let next = Stretch {
                before: side(before),
                after: side(after),
                parts: vec![Part { pair, dtype, bytes }],
            };
            match stretches.last_mut().filter(|last| last.is_before(&next)) {
                Some(last) => last.append(next),
                None => stretches.push(next),
            }
            begin += bytes as u64;
        }
    }
    stretches
}

impl Stretch {
    /// Returns the numbers of the first and the last pair in it.
    pub(super) fn pairs(&self) -> [usize; 2] {
        let number = |part: Option<&Part>| part.map_or(0, |part| part.pair);
        [number(self.parts.first()), number(self.parts.last())]
    }

    /// Reports whether the next one begins where this ends, and both together are no more than one may be.
    fn is_before(&self, next: &Self) -> bool {
        self.before.is_before(&next.before)
            && self.after.is_before(&next.after)
            && next.after.range.end - self.after.range.start <= MAX_BYTES as u64
    }

    fn append(&mut self, next: Self) {
        self.before.range.end = next.before.range.end;
        self.after.range.end = next.after.range.end;
        self.parts.extend(next.parts);
    }
}

impl Side {
    fn is_before(&self, next: &Self) -> bool {
        self.blob.digest() == next.blob.digest() && self.range.end == next.range.start
    }
}
