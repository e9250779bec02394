//! How many bytes the values of rows take, whatever their encoding.
//!
//! A value of a fixed width takes that, a boolean, a null column and the member of a union one byte; text and
//! binary four and their bytes; lists and maps four and their elements; structs and fixed-size lists what they
//! hold. A null takes what an empty text, an empty list, or nulls in its place would. Values of dictionaries,
//! runs and views take what they are, once for every row.

use std::ops::Range;

use arrow::array::{
    Array, AsArray as _, ByteView, RecordBatch, UnionArray, downcast_dictionary_array,
    downcast_run_array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ArrowNativeType, DataType};

/// What a text or a list takes besides its bytes or elements.
const LENGTH_BYTES: u64 = 4;

/// Returns the bytes of the values of some rows.
pub(crate) fn of_rows(batch: &RecordBatch, rows: Range<usize>) -> u64 {
    let columns = batch.columns().iter();
    columns.fold(0, |sum, column| {
        sum.saturating_add(of_slots(column.as_ref(), rows.clone()))
    })
}

/// Returns the bytes of the values of some slots.
pub(crate) fn of_slots(array: &dyn Array, slots: Range<usize>) -> u64 {
    if slots.is_empty() {
        return 0;
    }
    let nulls = array.nulls();
    let count = slots.len() as u64;
    match array.data_type() {
        DataType::Utf8 => of_texts(array.as_string::<i32>().value_offsets(), nulls, slots),
        DataType::LargeUtf8 => of_texts(array.as_string::<i64>().value_offsets(), nulls, slots),
        DataType::Binary => of_texts(array.as_binary::<i32>().value_offsets(), nulls, slots),
        DataType::LargeBinary => of_texts(array.as_binary::<i64>().value_offsets(), nulls, slots),
        DataType::Utf8View => of_views(array.as_string_view().views(), nulls, slots),
        DataType::BinaryView => of_views(array.as_binary_view().views(), nulls, slots),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            of_lists(lists.value_offsets(), lists.values(), nulls, slots)
        }
        DataType::LargeList(_) => {
            let lists = array.as_list::<i64>();
            of_lists(lists.value_offsets(), lists.values(), nulls, slots)
        }
        DataType::Map(..) => {
            let maps = array.as_map();
            of_lists(maps.value_offsets(), maps.entries(), nulls, slots)
        }
        DataType::ListView(_) => {
            let lists = array.as_list_view::<i32>();
            let places = (lists.value_offsets(), lists.value_sizes());
            of_list_views(places, lists.values(), nulls, slots)
        }
        DataType::LargeListView(_) => {
            let lists = array.as_list_view::<i64>();
            let places = (lists.value_offsets(), lists.value_sizes());
            of_list_views(places, lists.values(), nulls, slots)
        }
        DataType::FixedSizeList(_, width) => {
            let width = usize::try_from(*width).unwrap_or(0);
            let items = array.as_fixed_size_list().values();
            of_nullable(array, slots, |valid| {
                of_slots(items, valid.start * width..valid.end * width)
            })
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            of_nullable(array, slots, |valid| {
                let columns = columns.iter();
                let bytes = columns.map(|column| of_slots(column, valid.clone()));
                bytes.fold(0, u64::saturating_add)
            })
        }
        DataType::Union(..) => of_members(array.as_union(), slots),
        DataType::Dictionary(..) => of_keys(array, slots),
        DataType::RunEndEncoded(..) => of_runs(array, slots),
        other => least_bytes(other).saturating_mul(count),
    }
}

/// Returns what any value of a type takes; `None` where that depends on the value.
pub(crate) fn fixed_bytes(data_type: &DataType) -> Option<u64> {
    let is_fixed = match data_type {
        DataType::FixedSizeList(item, _) => fixed_bytes(item.data_type()).is_some(),
        DataType::Struct(fields) => {
            let mut fields = fields.iter();
            fields.all(|field| fixed_bytes(field.data_type()).is_some())
        }
        DataType::Dictionary(_, values) => fixed_bytes(values).is_some(),
        DataType::RunEndEncoded(_, values) => fixed_bytes(values.data_type()).is_some(),
        DataType::Null | DataType::Boolean | DataType::FixedSizeBinary(_) => true,
        other => other.is_primitive(),
    };
    is_fixed.then(|| least_bytes(data_type))
}

/// Returns what a null takes; of types of a fixed width that is what any value takes.
fn least_bytes(data_type: &DataType) -> u64 {
    match data_type {
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::Map(..) => LENGTH_BYTES,
        DataType::FixedSizeBinary(width) => u64::try_from(*width).unwrap_or(0),
        DataType::FixedSizeList(item, width) => {
            let width = u64::try_from(*width).unwrap_or(0);
            least_bytes(item.data_type()).saturating_mul(width)
        }
        DataType::Struct(fields) => {
            let fields = fields.iter();
            let bytes = fields.map(|field| least_bytes(field.data_type()));
            bytes.fold(0, u64::saturating_add)
        }
        DataType::Dictionary(_, values) => least_bytes(values),
        DataType::RunEndEncoded(_, values) => least_bytes(values.data_type()),
        other => other.primitive_width().map_or(1, |width| width as u64),
    }
}

/// Adds up what runs of valid slots take, and the nulls between them.
fn of_nullable(
    array: &dyn Array,
    slots: Range<usize>,
    of_valid: impl Fn(Range<usize>) -> u64,
) -> u64 {
    let (mut bytes, mut nulls) = (0_u64, slots.len() as u64);
    each_valid_run(array.nulls(), slots, |run| {
        nulls -= run.len() as u64;
        bytes = bytes.saturating_add(of_valid(run));
    });
    match nulls {
        0 => bytes,
        _ => bytes.saturating_add(nulls.saturating_mul(least_bytes(array.data_type()))),
    }
}

fn each_valid_run(
    nulls: Option<&NullBuffer>,
    slots: Range<usize>,
    mut see: impl FnMut(Range<usize>),
) {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 => {
            let nulls = nulls.slice(slots.start, slots.len());
            for (start, end) in nulls.valid_slices() {
                see(slots.start + start..slots.start + end);
            }
        }
        _ => see(slots),
    }
}

fn of_texts<O: ArrowNativeType>(
    offsets: &[O],
    nulls: Option<&NullBuffer>,
    slots: Range<usize>,
) -> u64 {
    let mut bytes = LENGTH_BYTES * slots.len() as u64;
    each_valid_run(nulls, slots, |run| {
        bytes += (offsets[run.end].as_usize() - offsets[run.start].as_usize()) as u64;
    });
    bytes
}

fn of_views(views: &[u128], nulls: Option<&NullBuffer>, slots: Range<usize>) -> u64 {
    let mut bytes = LENGTH_BYTES * slots.len() as u64;
    each_valid_run(nulls, slots, |run| {
        let lengths = views[run].iter().map(|view| ByteView::from(*view).length);
        bytes += lengths.map(u64::from).sum::<u64>();
    });
    bytes
}

fn of_lists<O: ArrowNativeType>(
    offsets: &[O],
    elements: &dyn Array,
    nulls: Option<&NullBuffer>,
    slots: Range<usize>,
) -> u64 {
    let mut bytes = LENGTH_BYTES * slots.len() as u64;
    each_valid_run(nulls, slots, |run| {
        let elements_of_run = offsets[run.start].as_usize()..offsets[run.end].as_usize();
        bytes = bytes.saturating_add(of_slots(elements, elements_of_run));
    });
    bytes
}

fn of_list_views<O: ArrowNativeType>(
    (offsets, sizes): (&[O], &[O]),
    elements: &dyn Array,
    nulls: Option<&NullBuffer>,
    slots: Range<usize>,
) -> u64 {
    let mut bytes = LENGTH_BYTES * slots.len() as u64;
    each_valid_run(nulls, slots, |run| {
        for slot in run {
            let start = offsets[slot].as_usize();
            let elements_of_slot = start..start + sizes[slot].as_usize();
            bytes = bytes.saturating_add(of_slots(elements, elements_of_slot));
        }
    });
    bytes
}

fn of_members(union: &UnionArray, slots: Range<usize>) -> u64 {
    let member = |slot| {
        let (values, offset) = (union.child(union.type_id(slot)), union.value_offset(slot));
        of_slots(values, offset..offset + 1).saturating_add(1)
    };
    slots.map(member).fold(0, u64::saturating_add)
}

fn of_keys(dictionary: &dyn Array, slots: Range<usize>) -> u64 {
    downcast_dictionary_array!(
        dictionary => {
            let (keys, values) = (dictionary.keys(), dictionary.values().as_ref());
            let of_value = |key: usize| of_slots(values, key..key + 1);
            let known: Vec<u64> = if values.len() <= slots.len() {
                (0..values.len()).map(of_value).collect()
            } else {
                Vec::new()
            };
            of_nullable(dictionary, slots, |valid| {
                let keys = keys.values()[valid].iter().map(|key| key.as_usize());
                let bytes = keys.map(|key| match known.get(key) {
                    Some(bytes) => *bytes,
                    None => of_value(key),
                });
                bytes.fold(0, u64::saturating_add)
            })
        },
        _ => 0,
    )
}

fn of_runs(runs: &dyn Array, slots: Range<usize>) -> u64 {
    downcast_run_array!(
        runs => {
            let (ends, values) = (runs.run_ends(), runs.values().as_ref());
            let (mut slot, mut bytes) = (slots.start, 0_u64);
            while slot < slots.end {
                let run = ends.get_physical_index(slot);
                let end = ends.values()[run].as_usize() - ends.offset();
                let times = (end.min(slots.end) - slot) as u64;
                let value = of_slots(values, run..run + 1);
                bytes = bytes.saturating_add(value.saturating_mul(times));
                slot = end;
            }
            bytes
        },
        _ => 0,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn a_type_of_a_fixed_width_takes_it_whatever_the_value() {
        assert_eq!(fixed_bytes(&DataType::Utf8), None);
        assert_eq!(fixed_bytes(&DataType::Boolean), Some(1));
        let item = Arc::new(Field::new_list_field(DataType::Int16, true));
        let three = DataType::FixedSizeList(Arc::clone(&item), 3);
        assert_eq!(fixed_bytes(&three), Some(6));
        assert_eq!(fixed_bytes(&DataType::List(item)), None);
    }
}
