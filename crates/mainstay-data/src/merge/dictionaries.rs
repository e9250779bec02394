//! Dictionaries, of which an Arrow IPC file holds one for all rows of a column.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use mainstay_core::{Error, ErrorKind, Result};

use crate::cuts::cut_each;
use crate::pieces::PIECE_BYTES;
use crate::rows::{plain_type, to_plain};
use crate::stored::StoredTable;

/// Returns the columns of rows [without dictionaries](without_dictionaries).
pub(crate) fn schema_without(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| {
        if has_dictionary(field.data_type()) {
            let field = field.as_ref().clone();
            let plain = plain_type(field.data_type());
            Arc::new(field.with_data_type(plain))
        } else {
            Arc::clone(field)
        }
    });
    let fields = fields.collect::<Vec<_>>();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Replaces the columns that have dictionaries, at any depth, by columns of their values: those of two sides
/// are not the same, and one of both may have more values than its keys can number. Batches are cut where that makes
/// a lot of them.
pub(crate) fn without_dictionaries(table: StoredTable) -> StoredTable {
    let schema = schema_without(&table.schema);
    let plain = SchemaRef::clone(&schema);
    let batches = cut_each(table.batches, PIECE_BYTES);
    let batches = batches.map(move |batch| of_values(&batch?, &plain));
    StoredTable {
        schema,
        batches: Box::new(batches),
    }
}

fn of_values(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema.fields().iter().zip(batch.columns());
    let columns = columns.map(|(field, array)| {
        if field.data_type() == array.data_type() {
            Ok(Arc::clone(array))
        } else {
            to_plain(array)
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(SchemaRef::clone(schema), columns).map_err(|error| {
        let message = "rows of dictionaries cannot be merged";
        Error::new(ErrorKind::Unsupported, message).with_source(error)
    })
}

fn has_dictionary(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(..) => true,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::RunEndEncoded(_, item) => has_dictionary(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_dictionary(field.data_type())),
        DataType::Union(members, _) => {
            let mut members = members.iter();
            members.any(|(_, field)| has_dictionary(field.data_type()))
        }
        _ => false,
    }
}
