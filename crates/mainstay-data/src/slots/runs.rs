//! Slots that follow each other and hold values.

use std::ops::Range;

use arrow::buffer::NullBuffer;

/// Calls `each` for every run of valid slots among the first `count`, in order.
pub(super) fn valid_runs(
    nulls: Option<&NullBuffer>,
    count: usize,
    mut each: impl FnMut(Range<usize>),
) {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 => {
            for (start, end) in nulls.valid_slices() {
                each(start..end);
            }
        }
        _ => each(0..count),
    }
}
