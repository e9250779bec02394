//! Slots of dictionary-encoded arrays.

use std::cell::OnceCell;
use std::ops::Range;

use arrow::array::{Array as _, PrimitiveArray};
use arrow::datatypes::{ArrowDictionaryKeyType, ArrowNativeType as _};

use super::{
    Scalar, Slots, collect_each, most_bytes_of_each, stream_each, write_each_cell, write_each_row,
};
use crate::digest::{ByteSink, ColumnStreams};
use crate::stats::ColumnCollector;

/// The most bytes of a dictionary whose values are written once instead of for each slot.
const MOST_CELL_BYTES: usize = 1024 * 1024;

/// Dictionary-encoded values.
pub(super) struct DictionarySlots<'a, K: ArrowDictionaryKeyType> {
    keys: &'a PrimitiveArray<K>,
    values: Box<dyn Slots + 'a>,
    /// How many values the dictionary has.
    count: usize,
    /// `None` where there are more than slots, or large ones.
    cells: OnceCell<Option<Vec<Cell>>>,
}

/// The cell of a value.
struct Cell {
    bytes: Vec<u8>,
    /// Where the value begins, behind marker and length; 0 for null.
    value: usize,
}

impl<'a, K: ArrowDictionaryKeyType> DictionarySlots<'a, K> {
    /// Opens slots of keys into `count` values.
    pub(super) fn new(
        keys: &'a PrimitiveArray<K>,
        values: Box<dyn Slots + 'a>,
        count: usize,
    ) -> Self {
        Self {
            keys,
            values,
            count,
            cells: OnceCell::new(),
        }
    }

    fn key(&self, slot: usize) -> usize {
        self.keys.value(slot).as_usize()
    }

    /// Returns the cells of all values.
    fn cells(&self) -> Option<&[Cell]> {
        let cells = self.cells.get_or_init(|| {
            let is_small = self.count <= self.keys.len()
                && self.values.most_bytes(0..self.count) <= MOST_CELL_BYTES;
            let cell = |key| Cell::of(self.values.as_ref(), key);
            is_small.then(|| (0..self.count).map(cell).collect())
        });
        cells.as_deref()
    }

    /// Returns the cell of a slot, whose key may be null; `None` for null.
    fn cell<'c>(&self, cells: &'c [Cell], slot: usize) -> Option<&'c Cell> {
        let cell = self.keys.is_valid(slot).then(|| &cells[self.key(slot)]);
        cell.filter(|cell| cell.value > 0)
    }

    /// Reports whether statistics are the same in whatever order they see the values.
    fn has_no_order(&self) -> bool {
        let mut keys = 0..self.count;
        let first = keys.find(|key| !self.values.is_null(*key));
        first.is_none_or(|key| {
            matches!(
                self.values.scalar(key),
                Scalar::Text(_) | Scalar::Bytes(_) | Scalar::Bool(_)
            )
        })
    }
}

impl Cell {
    fn of(values: &dyn Slots, key: usize) -> Self {
        if values.is_null(key) {
            return Self {
                bytes: vec![0],
                value: 0,
            };
        }
        let mut bytes = vec![1];
        if let Some(length) = values.length(key) {
            bytes.write_varint(length);
        }
        let value = bytes.len();
        values.write(key, &mut bytes);
        Self { bytes, value }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<K: ArrowDictionaryKeyType> Slots for DictionarySlots<'_, K> {
    fn is_null(&self, slot: usize) -> bool {
        self.keys.is_null(slot) || self.values.is_null(self.key(slot))
    }

    fn length(&self, slot: usize) -> Option<u64> {
        self.values.length(self.key(slot))
    }

    fn write(&self, slot: usize, out: &mut dyn ByteSink) {
        self.values.write(self.key(slot), out);
    }

    fn scalar(&self, slot: usize) -> Scalar<'_> {
        self.values.scalar(self.key(slot))
    }

    fn write_cells(&self, slots: Range<usize>, out: &mut dyn ByteSink) {
        write_each_cell(self, slots, out);
    }

    fn most_bytes(&self, slots: Range<usize>) -> usize {
        let Some(cells) = self.cells() else {
            return most_bytes_of_each(self, slots, |slot| {
                let key = self.key(slot);
                self.values.most_bytes(key..key + 1)
            });
        };
        let bytes = slots.map(|slot| self.cell(cells, slot).map_or(1, |cell| cell.bytes.len()));
        bytes.fold(0, usize::saturating_add)
    }

    fn write_rows(&self, first: usize, rows: &mut [Vec<u8>]) {
        let Some(cells) = self.cells() else {
            return write_each_row(self, first, rows);
        };
        for (slot, row) in (first..).zip(rows) {
            let cell = self.cell(cells, slot);
            row.extend_from_slice(cell.map_or(&[0], |cell| &cell.bytes));
        }
    }

    fn stream(&self, count: usize, out: &mut ColumnStreams) {
        let Some(cells) = self.cells() else {
            return stream_each(self, count, out);
        };
        for slot in 0..count {
            let cell = self.cell(cells, slot);
            out.validity.push(cell.is_some());
            if let Some(Cell { bytes, value }) = cell {
                out.lengths.write(&bytes[1..*value]);
                out.values.write(&bytes[*value..]);
            }
        }
    }

    fn collect(&self, count: usize, out: &mut ColumnCollector) {
        if self.count > count || !self.has_no_order() {
            return collect_each(self, count, out);
        }
        let mut times = vec![0; self.count];
        for slot in 0..count {
            if self.keys.is_null(slot) {
                out.add_null();
            } else {
                times[self.key(slot)] += 1;
            }
        }
        for (key, times) in times
            .into_iter()
            .enumerate()
            .filter(|(_, times)| *times > 0)
        {
            if self.values.is_null(key) {
                (0..times).for_each(|_| out.add_null());
            } else {
                out.add_times(self.values.scalar(key), times);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int16Array, StringArray};
    use arrow::compute::cast;
    use arrow::datatypes::{DataType, Int16Type};
    use proptest::prelude::*;

    use crate::digest::{ColumnHasher, Profile};
    use crate::slots::slots;
    use crate::stats::{ColumnCollector, ColumnStats};

    /// What is known of a column, and the cells of its rows.
    fn known(array: &ArrayRef) -> (String, ColumnStats, Vec<Vec<u8>>) {
        let slots = slots(array.as_ref(), Profile::Strict).unwrap();
        let mut hasher = ColumnHasher::new("t".to_owned(), Profile::Strict);
        hasher.update(slots.as_ref(), array.len());
        let mut collector = ColumnCollector::new(array.data_type());
        slots.collect(array.len(), &mut collector);
        let mut rows = vec![Vec::new(); array.len()];
        slots.write_rows(0, &mut rows);
        let bytes: usize = rows.iter().map(Vec::len).sum();
        assert!(bytes <= slots.most_bytes(0..array.len()));
        (hasher.finish().to_string(), collector.finish(), rows)
    }

    fn dictionary(values: ArrayRef, keys: &[Option<u8>]) -> ArrayRef {
        let count = values.len();
        let key =
            |key: &Option<u8>| key.map(|key| i16::try_from(usize::from(key) % count).unwrap());
        let keys: Int16Array = keys.iter().map(key).collect();
        Arc::new(DictionaryArray::<Int16Type>::try_new(keys, values).unwrap())
    }

    proptest! {
        /// Dictionaries of fewer and of more values than rows, with nulls in both and values twice.
        #[test]
        fn a_dictionary_is_known_as_its_values_are(
            values in proptest::collection::vec(proptest::option::of("[ab]{0,3}"), 1..90),
            numbers: bool,
            keys in proptest::collection::vec(proptest::option::of(any::<u8>()), 0..200),
            offset in 0_usize..20,
        ) {
            let mut array: ArrayRef = Arc::new(StringArray::from(values));
            if numbers {
                array = Arc::new(array.as_any().downcast_ref::<StringArray>().unwrap().iter()
                    .map(|text| text.map(|text| i16::try_from(text.len()).unwrap())).collect::<Int16Array>());
            }
            let plain: DataType = array.data_type().clone();
            let array = dictionary(array, &keys);
            let array = array.slice(offset.min(keys.len()), keys.len() - offset.min(keys.len()));
            prop_assert_eq!(known(&array), known(&cast(&array, &plain).unwrap()));
        }
    }
}
