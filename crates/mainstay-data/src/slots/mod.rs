//! The values of an Arrow array by slot, free of its encoding.
//!
//! Dictionaries of large values, runs, offsets and views are looked through one slot at a time, so a small array that
//! stands for a huge one is never unfolded in memory.

use std::ops::Range;

use arrow::datatypes::i256;

mod build;
mod bytes;
mod canonical;
mod dictionary;
mod nested;
mod numbers;
mod primitive;
mod runs;
mod times;

pub(crate) use build::slots;

use crate::digest::{ByteSink, ColumnStreams};
use crate::stats::ColumnCollector;

/// The values of a column by slot.
pub(crate) trait Slots {
    /// Reports whether a slot holds no value.
    fn is_null(&self, slot: usize) -> bool;

    /// Returns the length of a valid slot, in bytes or elements; `None` when the type has no length.
    fn length(&self, slot: usize) -> Option<u64>;

    /// Writes the canonical bytes of a valid slot, without its length.
    fn write(&self, slot: usize, out: &mut dyn ByteSink);

    /// Returns the value of a valid slot for statistics.
    fn scalar(&self, slot: usize) -> Scalar<'_>;

    /// Writes the cells of a range of slots, as [`write_cell`] writes each.
    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink);

    /// Returns a number of bytes that the cells of a range of slots do not exceed.
    fn most_bytes(&self, slots: Range<usize>) -> usize;

    /// Appends a cell to each of `rows`, of the slots from `first` on, as [`write_cell`] writes it.
    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]);

    /// Writes all slots of an array that has `count`.
    fn stream(&self, count: usize, out: &mut ColumnStreams);

    /// Shows all slots of an array that has `count` to statistics.
    fn collect(&self, count: usize, out: &mut ColumnCollector);
}

/// The most bytes that a cell has besides its value: a marker and a length.
const MOST_FRAME_BYTES: usize = 11;

/// A value as statistics see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    /// Integers, and times in the unit of their column.
    Int(i128),
    Float(f64),
    /// The unscaled value.
    Decimal(i256),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Nested values and intervals, which have no order.
    Other,
}

/// Writes a cell so that cells in a row need nothing between them: a byte for null or not, the length
/// where the type has one, the value.
#[inline]
pub(crate) fn write_cell<S: Slots + ?Sized>(slots: &S, slot: usize, out: &mut dyn ByteSink) {
    if slots.is_null(slot) {
        out.write(&[0]);
        return;
    }
    out.write(&[1]);
    if let Some(length) = slots.length(slot) {
        out.write_varint(length);
    }
    slots.write(slot, out);
}

/// [`Slots::write_cells`] for types without a faster way.
fn write_each_cell<S: Slots>(slots: &S, range: Range<usize>, out: &mut dyn ByteSink) {
    for slot in range {
        write_cell(slots, slot, out);
    }
}

/// [`Slots::write_rows`] for types without a faster way.
fn write_each_row<S: Slots>(slots: &S, first: usize, rows: &mut [Vec<u8>]) {
    for (slot, row) in (first..).zip(rows) {
        write_cell(slots, slot, row);
    }
}

/// [`Slots::most_bytes`] of slots whose values have to be looked at.
fn most_bytes_of_each<S: Slots>(
    slots: &S,
    range: Range<usize>,
    most_of_value: impl Fn(usize) -> usize,
) -> usize {
    let most = |slot| {
        let value = if slots.is_null(slot) {
            0
        } else {
            most_of_value(slot)
        };
        value.saturating_add(MOST_FRAME_BYTES)
    };
    range.map(most).fold(0, usize::saturating_add)
}

/// [`Slots::collect`] for all types: what is asked of each slot is known here where it is compiled.
fn collect_each<S: Slots>(slots: &S, count: usize, out: &mut ColumnCollector) {
    for slot in 0..count {
        if slots.is_null(slot) {
            out.add_null();
        } else {
            out.add(slots.scalar(slot));
        }
    }
}

/// [`Slots::stream`] for types without a faster way.
fn stream_each<S: Slots>(slots: &S, count: usize, out: &mut ColumnStreams) {
    for slot in 0..count {
        let valid = !slots.is_null(slot);
        out.validity.push(valid);
        if valid {
            if let Some(length) = slots.length(slot) {
                out.lengths.write_varint(length);
            }
            slots.write(slot, &mut out.values);
        }
    }
}

struct NullSlots;

#[deny(clippy::missing_trait_methods)]
impl Slots for NullSlots {
    fn is_null(&self, _slot: usize) -> bool {
        true
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, _slot: usize, _out: &mut dyn ByteSink) {}

    fn scalar(&self, _slot: usize) -> Scalar<'_> {
        Scalar::Other
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        slots.len()
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        out.validity.push_run(false, count);
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}
