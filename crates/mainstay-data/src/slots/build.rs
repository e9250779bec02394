//! From an Arrow array to its slots.

use std::ops::Range;

use arrow::array::{
    Array, AsArray, FixedSizeListArray, GenericListArray, GenericListViewArray, MapArray,
    OffsetSizeTrait, StructArray, UnionArray, downcast_dictionary_array, downcast_run_array,
};
use arrow::datatypes::{
    ArrowNativeType as _, DataType, FieldRef, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use mainstay_core::{Error, ErrorKind, Result};

use super::dictionary::DictionarySlots;
use super::nested::{ListSlots, RunSlots, StructSlots, UnionSlots};
use super::numbers::{
    decimal32, decimal64, decimal128, decimal256, float16, float32, float64, integer,
};
use super::times::{date32, date64, duration, interval, time, timestamp};
use super::{NullSlots, Slots};
use crate::digest::Profile;
use crate::logical::{name_order, order};

pub(super) type Boxed<'a> = Box<dyn Slots + 'a>;

/// Opens the slots of `array`, with the bytes that `profile` hashes.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a type without a logical form; the types that
/// [`logical_types`](crate::logical::logical_types) spells are all opened.
pub(crate) fn slots(array: &dyn Array, profile: Profile) -> Result<Boxed<'_>> {
    Ok(match array.data_type() {
        DataType::Null => Box::new(NullSlots),
        DataType::Boolean => Box::new(array.as_boolean().clone()),
        DataType::Int8 => integer::<Int8Type>(array, profile),
        DataType::Int16 => integer::<Int16Type>(array, profile),
        DataType::Int32 => integer::<Int32Type>(array, profile),
        DataType::Int64 => integer::<Int64Type>(array, profile),
        DataType::UInt8 => integer::<UInt8Type>(array, profile),
        DataType::UInt16 => integer::<UInt16Type>(array, profile),
        DataType::UInt32 => integer::<UInt32Type>(array, profile),
        DataType::UInt64 => integer::<UInt64Type>(array, profile),
        DataType::Float16 => float16(array, profile),
        DataType::Float32 => float32(array, profile),
        DataType::Float64 => float64(array, profile),
        DataType::Decimal32(..) => decimal32(array),
        DataType::Decimal64(..) => decimal64(array),
        DataType::Decimal128(..) => decimal128(array),
        DataType::Decimal256(..) => decimal256(array),
        DataType::Utf8 => Box::new(array.as_string::<i32>().clone()),
        DataType::LargeUtf8 => Box::new(array.as_string::<i64>().clone()),
        DataType::Utf8View => Box::new(array.as_string_view().clone()),
        DataType::Binary => Box::new(array.as_binary::<i32>().clone()),
        DataType::LargeBinary => Box::new(array.as_binary::<i64>().clone()),
        DataType::BinaryView => Box::new(array.as_binary_view().clone()),
        DataType::FixedSizeBinary(_) => Box::new(array.as_fixed_size_binary().clone()),
        DataType::Date32 => date32(array, profile),
        DataType::Date64 => date64(array),
        DataType::Time32(unit) | DataType::Time64(unit) => time(*unit, array, profile),
        DataType::Timestamp(unit, _) => timestamp(*unit, array, profile),
        DataType::Duration(unit) => duration(*unit, array, profile),
        DataType::Interval(unit) => interval(*unit, array, profile),
        DataType::List(_) => list(array.as_list::<i32>(), profile)?,
        DataType::LargeList(_) => list(array.as_list::<i64>(), profile)?,
        DataType::ListView(_) => list_view(array.as_list_view::<i32>(), profile)?,
        DataType::LargeListView(_) => list_view(array.as_list_view::<i64>(), profile)?,
        DataType::FixedSizeList(..) => fixed_size_list(array.as_fixed_size_list(), profile)?,
        DataType::Struct(_) => structure(array.as_struct(), profile)?,
        DataType::Union(..) => union(array.as_union(), profile)?,
        DataType::Map(..) => map(array.as_map(), profile)?,
        DataType::Dictionary(..) => downcast_dictionary_array!(
            array => Box::new(DictionarySlots::new(
                array.keys(),
                slots(array.values().as_ref(), profile)?,
                array.values().len(),
            )),
            _ => return Err(unsupported(array)),
        ),
        DataType::RunEndEncoded(..) => downcast_run_array!(
            array => Box::new(RunSlots {
                runs: array,
                values: slots(array.values().as_ref(), profile)?,
            }),
            _ => return Err(unsupported(array)),
        ),
    })
}

fn unsupported(array: &dyn Array) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "columns of this type cannot be hashed",
    )
    .context("type", array.data_type())
}

/// Opens lists of any kind by the elements of each slot.
fn lists<'a>(
    array: &'a dyn Array,
    elements: Boxed<'a>,
    range: impl Fn(usize) -> Range<usize> + 'a,
) -> Boxed<'a> {
    Box::new(ListSlots {
        nulls: array.nulls(),
        range: Box::new(range),
        elements,
    })
}

fn list<O: OffsetSizeTrait>(array: &GenericListArray<O>, profile: Profile) -> Result<Boxed<'_>> {
    let offsets = array.value_offsets();
    let elements = slots(array.values().as_ref(), profile)?;
    Ok(lists(array, elements, |slot| {
        offsets[slot].as_usize()..offsets[slot + 1].as_usize()
    }))
}

fn list_view<O: OffsetSizeTrait>(
    array: &GenericListViewArray<O>,
    profile: Profile,
) -> Result<Boxed<'_>> {
    let (offsets, sizes) = (array.value_offsets(), array.value_sizes());
    let elements = slots(array.values().as_ref(), profile)?;
    Ok(lists(array, elements, |slot| {
        let start = offsets[slot].as_usize();
        start..start + sizes[slot].as_usize()
    }))
}

fn fixed_size_list(array: &FixedSizeListArray, profile: Profile) -> Result<Boxed<'_>> {
    let width = usize::try_from(array.value_length())
        .map_err(|cause| Error::invalid("a list of negative length").with_source(cause))?;
    let elements = slots(array.values().as_ref(), profile)?;
    Ok(lists(array, elements, move |slot| {
        slot * width..(slot + 1) * width
    }))
}

fn structure(array: &StructArray, profile: Profile) -> Result<Boxed<'_>> {
    let fields = name_order(array.fields())
        .into_iter()
        .map(|index| slots(array.column(index).as_ref(), profile))
        .collect::<Result<_>>()?;
    Ok(Box::new(StructSlots {
        nulls: array.nulls(),
        fields,
    }))
}

fn union(array: &UnionArray, profile: Profile) -> Result<Boxed<'_>> {
    let (ids, fields): (Vec<i8>, Vec<&FieldRef>) = array.fields().iter().unzip();
    let mut members = Vec::with_capacity(ids.len());
    for index in order(&fields) {
        members.push((
            ids[index],
            slots(array.child(ids[index]).as_ref(), profile)?,
        ));
    }
    Ok(Box::new(UnionSlots { array, members }))
}

/// Opens a map as a list of key and value: the names of its parts differ from writer to writer.
fn map(array: &MapArray, profile: Profile) -> Result<Boxed<'_>> {
    let offsets = array.value_offsets();
    let entries = StructSlots {
        nulls: array.entries().nulls(),
        fields: vec![
            slots(array.keys().as_ref(), profile)?,
            slots(array.values().as_ref(), profile)?,
        ],
    };
    Ok(lists(array, Box::new(entries), |slot| {
        offsets[slot].as_usize()..offsets[slot + 1].as_usize()
    }))
}
