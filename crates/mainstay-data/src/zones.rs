//! Times with a time zone, which are told and read in UTC.
//!
//! A zone is where a time is shown; its rules would have to be had, and become others from year to year.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, StringArray, UInt64Array, make_array};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

const UTC: &str = "+00:00";

/// Spells a cell as Arrow does, times with a zone in UTC.
pub(crate) fn spelled(array: &dyn Array, row: usize) -> Result<String, ArrowError> {
    let options = FormatOptions::default();
    let told = in_utc(array.data_type());
    if told == *array.data_type() {
        let formatter = ArrayFormatter::try_new(array, &options)?;
        return formatter.value(row).try_to_string();
    }
    let cell = take(array, &UInt64Array::from(vec![row as u64]), None)?;
    let cell = make_array(relabelled(cell.to_data())?);
    ArrayFormatter::try_new(cell.as_ref(), &options)?
        .value(0)
        .try_to_string()
}

/// Reads text as a value of a type; a time without an offset is in UTC.
pub(crate) fn read(text: &str, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let through = match data_type {
        DataType::Duration(_) => DataType::Int64,
        other => in_utc(other),
    };
    let value = cast_with_options(&text, &through, &strict)?;
    cast_with_options(&value, data_type, &strict)
}

/// The type with other zones.
fn in_utc(data_type: &DataType) -> DataType {
    use DataType as T;
    match data_type {
        T::Timestamp(unit, Some(_)) => T::Timestamp(*unit, Some(UTC.into())),
        T::List(item) => T::List(field_in_utc(item)),
        T::LargeList(item) => T::LargeList(field_in_utc(item)),
        T::ListView(item) => T::ListView(field_in_utc(item)),
        T::LargeListView(item) => T::LargeListView(field_in_utc(item)),
        T::FixedSizeList(item, size) => T::FixedSizeList(field_in_utc(item), *size),
        T::Map(entries, sorted) => T::Map(field_in_utc(entries), *sorted),
        T::Struct(fields) => T::Struct(fields.iter().map(field_in_utc).collect()),
        T::Union(fields, mode) => {
            let fields = fields.iter();
            T::Union(
                fields.map(|(id, of)| (id, field_in_utc(of))).collect(),
                *mode,
            )
        }
        T::Dictionary(keys, values) => T::Dictionary(keys.clone(), Box::new(in_utc(values))),
        T::RunEndEncoded(ends, values) => T::RunEndEncoded(Arc::clone(ends), field_in_utc(values)),
        plain => plain.clone(),
    }
}

fn field_in_utc(field: &FieldRef) -> FieldRef {
    Arc::new(Field::clone(field).with_data_type(in_utc(field.data_type())))
}

/// The same times with other zones.
fn relabelled(data: ArrayData) -> Result<ArrayData, ArrowError> {
    let children = data.child_data().iter().cloned().map(relabelled);
    let children = children.collect::<Result<_, _>>()?;
    let told = in_utc(data.data_type());
    data.into_builder()
        .data_type(told)
        .child_data(children)
        .build()
}
