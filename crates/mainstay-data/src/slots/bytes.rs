//! Slots of text and binary values.

use std::ops::Range;

use arrow::array::{Array, FixedSizeBinaryArray, GenericByteArray, GenericByteViewArray};
use arrow::datatypes::{ArrowNativeType as _, ByteArrayType, ByteViewType};

use super::runs::valid_runs;
use super::{
    MOST_FRAME_BYTES, Scalar, Slots, collect_each, most_bytes_of_each, write_each_cell,
    write_each_row,
};
use crate::digest::{ByteSink, ColumnStreams};
use crate::stats::ColumnCollector;

/// How the bytes of a text or binary value read as a scalar.
trait ByteValue {
    fn bytes(&self) -> &[u8];
    fn scalar(&self) -> Scalar<'_>;
}

impl ByteValue for str {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    fn scalar(&self) -> Scalar<'_> {
        Scalar::Text(self)
    }
}

impl ByteValue for [u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn scalar(&self) -> Scalar<'_> {
        Scalar::Bytes(self)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: ByteArrayType> Slots for GenericByteArray<T>
where
    T::Native: ByteValue,
{
    fn is_null(&self, slot: usize) -> bool {
        Array::is_null(self, slot)
    }

    fn length(&self, slot: usize) -> Option<u64> {
        Some(self.value(slot).bytes().len() as u64)
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(self.value(slot).bytes());
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        self.value(slot).scalar()
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        let offsets = self.value_offsets();
        let bytes = offsets[slots.end].as_usize() - offsets[slots.start].as_usize();
        bytes + MOST_FRAME_BYTES * slots.len()
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        out.validity.push_validity(self.nulls(), count);
        valid_runs(self.nulls(), count, |run| {
            let offsets = &self.value_offsets()[run.start..=run.end];
            for pair in offsets.windows(2) {
                let length = pair[1].as_usize() - pair[0].as_usize();
                out.lengths.write_varint(length as u64);
            }
            // Values that follow each other in a run do so in memory.
            if let [first, .., last] = offsets {
                let bytes = first.as_usize()..last.as_usize();
                out.values.write(&self.value_data()[bytes]);
            }
        });
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: ByteViewType> Slots for GenericByteViewArray<T>
where
    T::Native: ByteValue,
{
    fn is_null(&self, slot: usize) -> bool {
        Array::is_null(self, slot)
    }

    fn length(&self, slot: usize) -> Option<u64> {
        Some(self.value(slot).bytes().len() as u64)
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(self.value(slot).bytes());
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        self.value(slot).scalar()
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        most_bytes_of_each(self, slots, |slot| self.value(slot).bytes().len())
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        out.validity.push_validity(self.nulls(), count);
        valid_runs(self.nulls(), count, |run| {
            for slot in run {
                let value = self.value(slot).bytes();
                out.lengths.write_varint(value.len() as u64);
                out.values.write(value);
            }
        });
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}

#[deny(clippy::missing_trait_methods)]
impl Slots for FixedSizeBinaryArray {
    fn is_null(&self, slot: usize) -> bool {
        Array::is_null(self, slot)
    }

    fn length(&self, slot: usize) -> Option<u64> {
        Some(self.value(slot).len() as u64)
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        out.write(self.value(slot));
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        Scalar::Bytes(self.value(slot))
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        (self.value_size() + MOST_FRAME_BYTES) * slots.len()
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        let width = self.value_size();
        out.validity.push_validity(self.nulls(), count);
        valid_runs(self.nulls(), count, |run| {
            for _ in run.clone() {
                out.lengths.write_varint(width as u64);
            }
            let bytes = width * run.start..width * run.end;
            out.values.write(&self.value_data()[bytes]);
        });
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}
