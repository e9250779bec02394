//! Slots of nested and run-end encoded arrays.

use std::ops::Range;

use arrow::array::{RunArray, UnionArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::RunEndIndexType;

use super::{
    Scalar, Slots, collect_each, most_bytes_of_each, stream_each, write_cell, write_each_cell,
    write_each_row,
};
use crate::digest::{ByteSink, ColumnStreams};
use crate::stats::ColumnCollector;

/// Lists, fixed-size lists and maps: a range of elements for each slot.
pub(super) struct ListSlots<'a> {
    pub(super) nulls: Option<&'a NullBuffer>,
    pub(super) range: Box<dyn Fn(usize) -> Range<usize> + 'a>,
    pub(super) elements: Box<dyn Slots + 'a>,
}

#[deny(clippy::missing_trait_methods)]
impl Slots for ListSlots<'_> {
    fn is_null(&self, slot: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(slot))
    }

    fn length(&self, slot: usize) -> Option<u64> {
        Some((self.range)(slot).len() as u64)
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        self.elements.write_cells((self.range)(slot), out);
    }

    fn scalar(&self, _slot: usize) -> Scalar<'_> {
        Scalar::Other
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        most_bytes_of_each(self, slots, |slot| {
            self.elements.most_bytes((self.range)(slot))
        })
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        stream_each(self, count, out);
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}

/// Structs, their fields in the order that is hashed.
pub(super) struct StructSlots<'a> {
    pub(super) nulls: Option<&'a NullBuffer>,
    pub(super) fields: Vec<Box<dyn Slots + 'a>>,
}

#[deny(clippy::missing_trait_methods)]
impl Slots for StructSlots<'_> {
    fn is_null(&self, slot: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(slot))
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        for field in &self.fields {
            write_cell(field.as_ref(), slot, out);
        }
    }

    fn scalar(&self, _slot: usize) -> Scalar<'_> {
        Scalar::Other
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        let fields = self
            .fields
            .iter()
            .map(|field| field.most_bytes(slots.clone()));
        fields.fold(slots.len(), usize::saturating_add)
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        stream_each(self, count, out);
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}

/// Unions, sparse and dense: the place of a member, then its cell.
pub(super) struct UnionSlots<'a> {
    pub(super) array: &'a UnionArray,
    /// Type ids and values of the members, in the order that is hashed.
    pub(super) members: Vec<(i8, Box<dyn Slots + 'a>)>,
}

impl UnionSlots<'_> {
    /// Finds the member that a slot is of, and its place; an array cannot be built with the id of none.
    fn member(&self, slot: usize) -> Option<(usize, &dyn Slots)> {
        let id = self.array.type_id(slot);
        let mut members = self.members.iter().enumerate();
        let (place, (_, values)) = members.find(|(_, member)| member.0 == id)?;
        Some((place, values.as_ref()))
    }
}

#[deny(clippy::missing_trait_methods)]
impl Slots for UnionSlots<'_> {
    fn is_null(&self, _slot: usize) -> bool {
        false
    }

    fn length(&self, _slot: usize) -> Option<u64> {
        None
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        if let Some((place, values)) = self.member(slot) {
            out.write_varint(place as u64);
            write_cell(values, self.array.value_offset(slot), out);
        }
    }

    fn scalar(&self, _slot: usize) -> Scalar<'_> {
        Scalar::Other
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        most_bytes_of_each(self, slots, |slot| {
            let offset = self.array.value_offset(slot);
            self.member(slot)
                .map_or(0, |(_, values)| values.most_bytes(offset..offset + 1))
        })
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        stream_each(self, count, out);
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}

/// Run-end encoded values.
pub(super) struct RunSlots<'a, R: RunEndIndexType> {
    pub(super) runs: &'a RunArray<R>,
    pub(super) values: Box<dyn Slots + 'a>,
}

#[deny(clippy::missing_trait_methods)]
impl<R: RunEndIndexType> Slots for RunSlots<'_, R> {
    fn is_null(&self, slot: usize) -> bool {
        self.values.is_null(self.runs.get_physical_index(slot))
    }

    fn length(&self, slot: usize) -> Option<u64> {
        self.values.length(self.runs.get_physical_index(slot))
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        self.values.write(self.runs.get_physical_index(slot), out);
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        self.values.scalar(self.runs.get_physical_index(slot))
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        most_bytes_of_each(self, slots, |slot| {
            let index = self.runs.get_physical_index(slot);
            self.values.most_bytes(index..index + 1)
        })
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        write_each_row(self, first, rows);
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        stream_each(self, count, out);
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        collect_each(self, count, out);
    }
}
