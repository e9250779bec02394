//! Slots of booleans and of values of a fixed width.

use std::ops::Range;

use arrow::array::{Array, BooleanArray, PrimitiveArray};
use arrow::datatypes::ArrowPrimitiveType;

use super::canonical::Canonical;
use super::runs::valid_runs;
use super::{Scalar, Slots, collect_each, write_each_cell, write_each_row};
use crate::digest::{ByteSink, ByteStream, ColumnStreams};
use crate::stats::ColumnCollector;

/// Cells that are written together.
const CELLS: usize = 64;
/// Values that are written together.
const VALUES: usize = 64;

#[deny(clippy::missing_trait_methods)]
impl Slots for BooleanArray {
    fn is_null(&self, slot: usize) -> bool {
        Array::is_null(self, slot)
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(&[u8::from(self.value(slot))]);
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        Scalar::Bool(self.value(slot))
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        2 * slots.len()
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        out.validity.push_validity(self.nulls(), count);
        valid_runs(self.nulls(), count, |run| {
            let bits = self.values().slice(run.start, run.len());
            let chunks = bits.bit_chunks();
            for word in &chunks {
                out.values.write(&unpacked(word));
            }
            let rest = unpacked(chunks.remainder_bits());
            out.values.write(&rest[..chunks.remainder_len()]);
        });
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}

/// Returns a byte for each bit, the least significant first.
fn unpacked(word: u64) -> [u8; 64] {
    std::array::from_fn(|bit| u8::from(word >> bit & 1 == 1))
}

/// Numbers that lie in memory almost as they are hashed.
pub(super) struct PrimitiveSlots<'a, T: ArrowPrimitiveType, S> {
    pub(super) array: &'a PrimitiveArray<T>,
    pub(super) scalar: S,
}

impl<T: ArrowPrimitiveType, S> PrimitiveSlots<'_, T, S>
where
    T::Native: Canonical,
{
    fn write_run(&self, run: Range<usize>, out: &mut ByteStream) {
        let values = &self.array.values()[run.clone()];
        let as_in_memory =
            cfg!(target_endian = "little") && values.iter().all(|value| value.is_canonical());
        if as_in_memory {
            let width = size_of::<T::Native>();
            let bytes = self.array.values().inner().as_slice();
            out.write(&bytes[width * run.start..width * run.end]);
            return;
        }
        for value in values {
            out.write(value.canonical().as_ref());
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T, S> Slots for PrimitiveSlots<'_, T, S>
where
    T: ArrowPrimitiveType,
    T::Native: Canonical,
    S: Fn(T::Native) -> Scalar<'static>,
{
    fn is_null(&self, slot: usize) -> bool {
        self.array.is_null(slot)
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(self.array.value(slot).canonical().as_ref());
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        (self.scalar)(self.array.value(slot))
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        if self.array.null_count() > 0 {
            return write_each_cell(self, slots, out);
        }
        write_valid_cells(&self.array.values()[slots], Canonical::canonical, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        (1 + size_of::<T::Native>()) * slots.len()
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        if self.array.null_count() > 0 {
            return write_each_row(self, first, rows);
        }
        write_valid_rows(&self.array.values()[first..], Canonical::canonical, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        out.validity.push_validity(self.array.nulls(), count);
        valid_runs(self.array.nulls(), count, |run| {
            self.write_run(run, &mut out.values);
        });
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}

/// Values of a fixed width whose canonical bytes are not those in memory.
pub(super) struct ConvertedSlots<'a, T: ArrowPrimitiveType, F, S> {
    pub(super) array: &'a PrimitiveArray<T>,
    pub(super) bytes: F,
    pub(super) scalar: S,
}

#[deny(clippy::missing_trait_methods)]
impl<T, F, S, const WIDTH: usize> Slots for ConvertedSlots<'_, T, F, S>
where
    T: ArrowPrimitiveType,
    F: Fn(T::Native) -> [u8; WIDTH],
    S: Fn(T::Native) -> Scalar<'static>,
{
    fn is_null(&self, slot: usize) -> bool {
        self.array.is_null(slot)
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(&(self.bytes)(self.array.value(slot)));
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        (self.scalar)(self.array.value(slot))
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        if self.array.null_count() > 0 {
            return write_each_cell(self, slots, out);
        }
        write_valid_cells(&self.array.values()[slots], &self.bytes, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        (1 + WIDTH) * slots.len()
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        if self.array.null_count() > 0 {
            return write_each_row(self, first, rows);
        }
        write_valid_rows(&self.array.values()[first..], &self.bytes, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        out.validity.push_validity(self.array.nulls(), count);
        valid_runs(self.array.nulls(), count, |run| {
            for part in self.array.values()[run].chunks(VALUES) {
                let mut bytes = [[0; WIDTH]; VALUES];
                for (bytes, &value) in bytes.iter_mut().zip(part) {
                    *bytes = (self.bytes)(value);
                }
                out.values.write(bytes[..part.len()].as_flattened());
            }
        });
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}

/// Writes the cells of values of a fixed width, many at a time: lists of numbers are long.
fn write_valid_cells<V: Copy, B: AsRef<[u8]>>(
    values: &[V],
    bytes: impl Fn(V) -> B,
    out: &mut dyn ByteSink,
) {
    // A marker and at most 32 bytes for each.
    let mut cells = [0; 33 * CELLS];
    // The bytes are an array, so this is known where it is compiled.
    let stride = 1 + size_of::<B>();
    for part in values.chunks(CELLS) {
        for (cell, &value) in cells.chunks_exact_mut(stride).zip(part) {
            cell[0] = 1;
            cell[1..].copy_from_slice(bytes(value).as_ref());
        }
        out.write(&cells[..stride * part.len()]);
    }
}

/// Appends the cells of values of a fixed width to rows, one to each.
fn write_valid_rows<V: Copy, B: AsRef<[u8]>>(
    values: &[V],
    bytes: impl Fn(V) -> B,
    rows: &mut [Vec<u8>],
) {
    let mut cell = [1; 33];
    // The bytes are an array, so this is known where it is compiled.
    let length = 1 + size_of::<B>();
    for (row, &value) in rows.iter_mut().zip(values) {
        cell[1..length].copy_from_slice(bytes(value).as_ref());
        row.extend_from_slice(&cell[..length]);
    }
}
