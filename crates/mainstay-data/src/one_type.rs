//! One type for a column that files encode in several ways.
//!
//! Files of one table may have different Arrow types of one logical type: texts with short and long offsets,
//! dictionaries beside plain values, decimals of different precision. Whoever reads the table gets the widest of
//! these, which is a function of the logical type, so that no file has to be opened to know it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, GenericListArray, LargeListArray, MapArray, OffsetSizeTrait,
    RecordBatch, RecordBatchOptions, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    DECIMAL256_MAX_PRECISION, DataType, Field, FieldRef, Fields, Schema, SchemaRef,
};
use arrow::error::ArrowError;
use mainstay_core::{Error, ErrorKind, Result};

use crate::Column;
use crate::cuts::cut;
use crate::logical::name_order;
use crate::pieces::PIECE_BYTES;
use crate::rows::recast;
use crate::scan::in_order;

/// Reports whether arrays of a type can be given the [`widest`] one. Of unions nothing is known to have one.
pub(crate) fn has_widest(data_type: &DataType) -> bool {
    match data_type {
        DataType::Union(..) => false,
        DataType::Dictionary(_, values) => has_widest(values),
        DataType::RunEndEncoded(_, item)
        | DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_widest(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| has_widest(field.data_type())),
        _ => true,
    }
}

/// Returns the type that holds the values of all types of the same logical type.
pub(crate) fn widest(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => widest(values),
        DataType::RunEndEncoded(_, values) => widest(values.data_type()),
        DataType::Utf8 | DataType::Utf8View => DataType::LargeUtf8,
        DataType::Binary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::LargeBinary
        }
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => DataType::Decimal256(DECIMAL256_MAX_PRECISION, *scale),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => DataType::LargeList(Arc::new(Field::new_list_field(
            widest(item.data_type()),
            true,
        ))),
        DataType::Struct(fields) => {
            let fields = name_order(fields).into_iter().map(|index| {
                let field = &fields[index];
                Field::new(field.name(), widest(field.data_type()), true)
            });
            DataType::Struct(fields.collect())
        }
        DataType::Map(entries, _) => DataType::Map(widest_entries(entries), false),
        other => other.clone(),
    }
}

fn widest_entries(entries: &FieldRef) -> FieldRef {
    let names = [("keys", false), ("values", true)];
    let fields: Fields = match entries.data_type() {
        DataType::Struct(fields) => {
            let fields = fields.iter().zip(names);
            fields
                .map(|(field, (name, nullable))| {
                    Field::new(name, widest(field.data_type()), nullable)
                })
                .collect()
        }
        _ => Fields::empty(),
    };
    Arc::new(Field::new("entries", DataType::Struct(fields), false))
}

/// Returns the schema of a table of these columns, of which one file has this one.
pub(crate) fn of_table(file: &Schema, columns: &[Column]) -> SchemaRef {
    let fields = file.fields().iter().map(|field| {
        let mut columns = columns.iter();
        match columns.find(|column| column.name == *field.name()) {
            Some(column) if column.mixed => {
                let widest = widest(field.data_type());
                Field::new(field.name(), widest, column.nullable)
            }
            Some(column) => field.as_ref().clone().with_nullable(column.nullable),
            None => field.as_ref().clone(),
        }
    });
    let fields: Fields = fields.collect();
    Arc::new(Schema::new_with_metadata(fields, file.metadata().clone()))
}

/// Gives a batch of a file the columns of its table, in their order and types. Where that unfolds dictionaries or
/// runs it comes in parts, one after the other, of which the values take 16 MiB or are of one row.
///
/// # Errors
/// [`ErrorKind::Invalid`] when it has others; [`ErrorKind::Unsupported`] when Arrow cannot convert one.
pub(crate) fn as_of_table(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
    let batch = in_order(batch, schema)?;
    let columns = batch.columns().iter().zip(schema.fields());
    let mut same = columns.map(|(column, field)| column.data_type() == field.data_type());
    let parts: Vec<RecordBatch> = if same.all(|same| same) {
        vec![batch]
    } else {
        cut(&batch, PIECE_BYTES).collect()
    };
    let schema = Arc::clone(schema);
    Ok(parts.into_iter().map(move |part| converted(&part, &schema)))
}

fn converted(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns
        .map(|(column, field)| {
            let converted = convert(column, field.data_type());
            converted.map_err(|error| {
                let message = "a column cannot be given the type of its table";
                Error::new(ErrorKind::Unsupported, message)
                    .context("column", field.name().escape_debug())
                    .with_source(error)
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Error::invalid("a batch does not fit its table").with_source(error))
}

/// Gives an array a type that is its own or the widest.
fn convert(array: &ArrayRef, into: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == into {
        return Ok(Arc::clone(array));
    }
    let other = |data_type: &DataType| convert(&recast(array, data_type)?, into);
    match (array.data_type(), into) {
        (DataType::Dictionary(_, values), _) => other(values),
        (DataType::RunEndEncoded(_, values), _) => other(values.data_type()),
        (DataType::ListView(item), _) => other(&DataType::List(Arc::clone(item))),
        (DataType::LargeListView(item) | DataType::FixedSizeList(item, _), _) => {
            other(&DataType::LargeList(Arc::clone(item)))
        }
        (DataType::List(_), DataType::LargeList(item)) => list(array.as_list::<i32>(), item),
        (DataType::LargeList(_), DataType::LargeList(item)) => list(array.as_list::<i64>(), item),
        (DataType::Struct(_), DataType::Struct(fields)) => structure(array.as_struct(), fields),
        (DataType::Map(..), DataType::Map(entries, _)) => map(array.as_map(), entries),
        _ => recast(array, into),
    }
}

fn list<O: OffsetSizeTrait>(
    array: &GenericListArray<O>,
    item: &FieldRef,
) -> Result<ArrayRef, ArrowError> {
    let (offsets, first, length) = from_zero(array.value_offsets());
    let values = convert(&array.values().slice(first, length), item.data_type())?;
    let nulls = array.nulls().cloned();
    let list = LargeListArray::try_new(Arc::clone(item), offsets, values, nulls)?;
    Ok(Arc::new(list))
}

fn map(array: &MapArray, entries: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let (offsets, first, length) = from_zero(array.value_offsets());
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ArrowError::CastError("a map without entries".to_owned()));
    };
    let columns = [array.keys(), array.values()].into_iter().zip(fields);
    let columns = columns
        .map(|(column, field)| convert(&column.slice(first, length), field.data_type()))
        .collect::<Result<_, _>>()?;
    let rows = StructArray::try_new(fields.clone(), columns, None)?;
    let nulls = array.nulls().cloned();
    let map = MapArray::try_new(Arc::clone(entries), offsets, rows, nulls, false)?;
    Ok(Arc::new(map))
}

fn structure(array: &StructArray, fields: &Fields) -> Result<ArrayRef, ArrowError> {
    let columns = name_order(array.fields()).into_iter().zip(fields);
    let columns = columns
        .map(|(index, field)| convert(array.column(index), field.data_type()))
        .collect::<Result<_, _>>()?;
    let nulls = array.nulls().cloned();
    let structure = StructArray::try_new_with_length(fields.clone(), columns, nulls, array.len())?;
    Ok(Arc::new(structure))
}

/// Makes offsets begin at 0, so that a slice of a long child is not converted whole; returns also where the child
/// begins, and how much of it there is.
fn from_zero<O: OffsetSizeTrait, Into: OffsetSizeTrait>(
    offsets: &[O],
) -> (OffsetBuffer<Into>, usize, usize) {
    let at = |offset: Option<&O>| offset.map_or(0, |offset| offset.as_usize());
    let first = at(offsets.first());
    let length = at(offsets.last()) - first;
    let lengths = offsets
        .windows(2)
        .map(|pair| pair[1].as_usize() - pair[0].as_usize());
    (OffsetBuffer::from_lengths(lengths), first, length)
}
