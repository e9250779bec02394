//! Arrays in which every row has its own memory.
//!
//! In dictionaries, runs and views a few rows hold on to the memory of many, and those of two arrays
//! may not fit into one. Such encodings are replaced, at any depth.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait,
    StructArray, UnionArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, UnionFields};
use arrow::error::ArrowError;
use mainstay_core::Result;

use super::failure::immovable;

/// Returns the type of arrays like this one once they are plain.
pub(crate) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain_type(values),
        DataType::RunEndEncoded(_, values) => plain_type(values.data_type()),
        DataType::Utf8View => DataType::LargeUtf8,
        DataType::BinaryView => DataType::LargeBinary,
        DataType::ListView(item) | DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeListView(item) | DataType::LargeList(item) => {
            DataType::LargeList(plain_field(item))
        }
        DataType::FixedSizeList(item, width) => DataType::FixedSizeList(plain_field(item), *width),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain_field(entries), *sorted),
        DataType::Union(members, mode) => DataType::Union(plain_members(members), *mode),
        other => other.clone(),
    }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let plain = plain_type(field.data_type());
    // Metadata may name an extension type that fits the given encoding alone.
    Arc::new(Field::new(field.name(), plain, field.is_nullable()))
}

fn plain_members(members: &UnionFields) -> UnionFields {
    members
        .iter()
        .map(|(id, field)| (id, plain_field(field)))
        .collect()
}

/// Makes an array plain.
///
/// # Errors
/// [`Unsupported`](mainstay_core::ErrorKind::Unsupported) when Arrow cannot.
pub(crate) fn to_plain(array: &ArrayRef) -> Result<ArrayRef> {
    if *array.data_type() == plain_type(array.data_type()) {
        return Ok(Arc::clone(array));
    }
    Ok(match array.data_type() {
        DataType::Struct(fields) => {
            let fields = fields.iter().map(plain_field).collect();
            let array = array.as_struct();
            let columns = array
                .columns()
                .iter()
                .map(to_plain)
                .collect::<Result<_>>()?;
            let nulls = array.nulls().cloned();
            built(StructArray::try_new_with_length(
                fields,
                columns,
                nulls,
                array.len(),
            ))?
        }
        DataType::List(_) => list(array.as_list::<i32>())?,
        DataType::LargeList(_) => list(array.as_list::<i64>())?,
        DataType::ListView(item) => to_plain(&to_type(array, &DataType::List(Arc::clone(item)))?)?,
        DataType::LargeListView(item) => {
            to_plain(&to_type(array, &DataType::LargeList(Arc::clone(item)))?)?
        }
        DataType::FixedSizeList(item, width) => {
            let array = array.as_fixed_size_list();
            let (values, nulls) = (to_plain(array.values())?, array.nulls().cloned());
            let field = plain_field(item);
            built(FixedSizeListArray::try_new_with_length(
                field,
                *width,
                values,
                nulls,
                array.len(),
            ))?
        }
        DataType::Map(entries, sorted) => {
            let (field, array) = (plain_field(entries), array.as_map());
            let rows: ArrayRef = Arc::new(array.entries().clone());
            let rows = to_plain(&rows)?.as_struct().clone();
            let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
            built(MapArray::try_new(field, offsets, rows, nulls, *sorted))?
        }
        DataType::Union(members, _) => {
            let array = array.as_union();
            let children = members.iter().map(|(id, _)| to_plain(array.child(id)));
            let children = children.collect::<Result<_>>()?;
            built(UnionArray::try_new(
                plain_members(members),
                array.type_ids().clone(),
                array.offsets().cloned(),
                children,
            ))?
        }
        DataType::Dictionary(_, values) => to_plain(&to_type(array, values)?)?,
        DataType::RunEndEncoded(_, values) => to_plain(&to_type(array, values.data_type())?)?,
        other => to_type(array, &plain_type(other))?,
    })
}

fn list<O: OffsetSizeTrait>(array: &GenericListArray<O>) -> Result<ArrayRef> {
    let field = match array.data_type() {
        DataType::List(item) | DataType::LargeList(item) => plain_field(item),
        other => Arc::new(Field::new_list_field(other.clone(), true)),
    };
    let (offsets, nulls) = (array.offsets().clone(), array.nulls().cloned());
    built(GenericListArray::<O>::try_new(
        field,
        offsets,
        to_plain(array.values())?,
        nulls,
    ))
}

fn built<A: Array + 'static>(array: Result<A, ArrowError>) -> Result<ArrayRef> {
    Ok(Arc::new(array.map_err(immovable)?))
}

/// Gives an array another encoding of its logical type.
pub(super) fn to_type(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return Ok(Arc::clone(array));
    }
    recast(array, data_type).map_err(immovable)
}

/// Gives an array another encoding, or fails when a value does not fit into it: none becomes null.
pub(crate) fn recast(array: &dyn Array, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, data_type, &options)
}
