//! What a patch does for some rows alone.

use std::ops::Range;

use arrow::array::UInt64Array;
use arrow::compute::{take, take_record_batch};
use arrow::error::ArrowError;
use mainstay_core::{Error, ErrorKind, Result};

use super::{Edits, Patch, Run};

impl Patch {
    /// Returns what makes the new table's rows of `wanted`, which rise and do not overlap, and the rows of
    /// the base that it is applied to.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when rows of these types cannot be taken.
    pub(crate) fn only(self, wanted: &[Range<u64>]) -> Result<(Self, Vec<Range<u64>>)> {
        let (mut runs, mut base, mut places) = (Vec::new(), Vec::new(), Vec::new());
        let (mut from, mut to, mut at_inserted) = (0_u64, 0_u64, 0_u64);
        let mut left = wanted;
        // Sums of rows were checked when the patch was decoded, but those of the base.
        for run in self.runs {
            match run {
                Run::Delete(rows) => from = from.saturating_add(rows),
                Run::Keep(rows) => {
                    for part in next_within(&mut left, &(to..to + rows)) {
                        let first = from.saturating_add(part.start - to);
                        let count = part.end - part.start;
                        base.push(first..first.saturating_add(count));
                        runs.push(Run::Keep(count));
                    }
                    from = from.saturating_add(rows);
                    to += rows;
                }
                Run::Insert(rows) => {
                    for part in next_within(&mut left, &(to..to + rows)) {
                        let first = at_inserted + (part.start - to);
                        places.extend(first..first + (part.end - part.start));
                        runs.push(Run::Insert(part.end - part.start));
                    }
                    at_inserted += rows;
                    to += rows;
                }
            }
        }
        let inserted = self.inserted.filter(|_| !places.is_empty());
        let places = UInt64Array::from(places);
        let inserted = inserted.map(|rows| take_record_batch(&rows, &places));
        let edits = self.edits.into_iter().map(|edits| edits.only(wanted));
        let patch = Self {
            edits: edits.collect::<Result<_>>()?,
            inserted: inserted.transpose().map_err(untaken)?,
            runs,
        };
        Ok((patch, base))
    }
}

impl Edits {
    fn only(self, wanted: &[Range<u64>]) -> Result<Self> {
        let (mut rows, mut places) = (Vec::new(), Vec::new());
        let (mut left, mut before) = (wanted.iter().peekable(), 0);
        for (place, &row) in (0_u64..).zip(&self.rows) {
            while let Some(range) = left.next_if(|range| range.end <= row) {
                before += range.end - range.start;
            }
            if let Some(range) = left.peek().filter(|range| range.start <= row) {
                rows.push(before + (row - range.start));
                places.push(place);
            }
        }
        Ok(Self {
            values: take(&self.values, &UInt64Array::from(places), None).map_err(untaken)?,
            column: self.column,
            rows,
        })
    }
}

/// Returns what of `rows` is wanted; `left` keeps what may be within later rows.
fn next_within(left: &mut &[Range<u64>], rows: &Range<u64>) -> Vec<Range<u64>> {
    let mut found = Vec::new();
    while let Some(wanted) = left.first() {
        let both = wanted.start.max(rows.start)..wanted.end.min(rows.end);
        if !both.is_empty() {
            found.push(both);
        }
        if wanted.end > rows.end {
            break;
        }
        *left = &left[1..];
    }
    found
}

fn untaken(error: ArrowError) -> Error {
    Error::new(ErrorKind::Unsupported, "cannot take rows of these types").with_source(error)
}
