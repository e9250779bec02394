//! Which rows of a file the batches of a reader are.

use std::ops::Range;

use arrow::array::{RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::take_record_batch;
use mainstay_core::{Error, Result};

use crate::rows::failure::immovable;

/// Tells which rows of a file the batches of a reader are.
pub(super) struct Places<'a> {
    /// What the reader hands out.
    read: std::slice::Iter<'a, Range<u64>>,
    /// What of it was not yet handed out.
    now: Range<u64>,
    /// What is wanted, but for what is behind.
    wanted: &'a [Range<u64>],
}

impl<'a> Places<'a> {
    pub(super) fn new(read: &'a [Range<u64>], wanted: &'a [Range<u64>]) -> Self {
        Self {
            read: read.iter(),
            now: 0..0,
            wanted,
        }
    }

    /// Returns the wanted rows of the next batch with their numbers, which begin at `first`; `None` when
    /// it has none.
    pub(super) fn wanted(
        &mut self,
        batch: &RecordBatch,
        first: u64,
    ) -> Result<Option<(UInt64Array, RecordBatch)>> {
        let (mut numbers, mut places): (Vec<u64>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut used = 0;
        let rows = u32::try_from(batch.num_rows())
            .map_err(|cause| Error::invalid("a batch of more than 2^32 rows").with_source(cause))?;
        while used < rows {
            while self.now.is_empty() {
                let Some(next) = self.read.next() else {
                    return Err(Error::invalid("more rows than it had"));
                };
                self.now = next.clone();
            }
            let left = rows - used;
            let here = u32::try_from(self.now.end - self.now.start).map_or(left, |n| n.min(left));
            let rows = self.now.start..self.now.start + u64::from(here);
            while let Some(wanted) = self.wanted.first() {
                let both = wanted.start.max(rows.start)..wanted.end.min(rows.end);
                numbers.extend(both.clone().map(|row| first + row));
                // Within the batch, which is no longer than that.
                let place = |row: u64| u32::try_from(row - rows.start).unwrap_or(0) + used;
                places.extend(both.map(place));
                if wanted.end > rows.end {
                    break;
                }
                self.wanted = &self.wanted[1..];
            }
            used += here;
            self.now.start = rows.end;
        }
        let found = match (places.first(), places.last()) {
            (Some(&start), Some(&end)) if (end - start) as usize + 1 == places.len() => {
                batch.slice(start as usize, places.len())
            }
            (Some(_), _) => {
                take_record_batch(batch, &UInt32Array::from(places)).map_err(immovable)?
            }
            (None, _) => return Ok(None),
        };
        Ok(Some((UInt64Array::from(numbers), found)))
    }

    /// Reports whether everything was handed out.
    pub(super) fn complete(mut self) -> bool {
        self.now.is_empty() && self.read.all(Range::is_empty)
    }
}
