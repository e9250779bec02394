//! Logical digests of tables, profile `table-digest v1`.
//!
//! Two tables with the same values have the same digests, however they are cut into batches or row
//! groups, whichever string, binary, dictionary or run encoding they use, and whatever lies in the
//! slots of nulls. `docs/formats/table-digest.md` is the normative description.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use mainstay_core::{BulkDigest, Error, Result};

mod column;
mod rows;
mod stream;

use column::ColumnHasher;
use rows::RowsHasher;
pub(crate) use stream::ByteSink;

use crate::logical::{logical_types, name_order};
use crate::slots::{Slots, slots};

/// The name of the rules by which this module hashes.
pub(crate) const PROFILE: &str = "table-digest v1";

const TABLE_CONTEXT: &str = "mainstay table-digest v1 table";
const ROWS_CONTEXT: &str = "mainstay table-digest v1 rows";

/// Computes the logical digests of a table from its batches, in O(columns) memory.
///
/// ```
/// use std::sync::Arc;
///
/// use mainstay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use mainstay_data::digest::TableHasher;
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
/// let batch = RecordBatch::try_from_iter([("letter", column)]).unwrap();
/// let mut whole = TableHasher::new(&batch.schema())?;
/// whole.update(&batch)?;
///
/// let mut pieces = TableHasher::new(&batch.schema())?;
/// pieces.update(&batch.slice(0, 1))?;
/// pieces.update(&batch.slice(1, 2))?;
/// assert_eq!(whole.finish(), pieces.finish());
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug)]
pub struct TableHasher {
    schema: SchemaRef,
    /// Indices of the columns in name order.
    order: Vec<usize>,
    columns: Vec<ColumnHasher>,
    rows: RowsHasher,
    count: u64,
}

/// The logical digests of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableDigests {
    /// How many rows.
    pub rows: u64,
    /// Identifies the values and the order of the rows; columns count by name, not by place.
    pub table: BulkDigest,
    /// Identifies the rows as a multiset: their order does not count, their number does.
    ///
    /// Safe against accidents, not against someone who may choose the rows.
    pub unordered: BulkDigest,
    /// One digest for each column, in schema order: its type and values, not its name.
    pub columns: Vec<BulkDigest>,
}

impl TableHasher {
    /// Prepares to hash batches of `schema`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) naming the column whose type
    /// has no logical form; [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when there is no
    /// column or two have one name.
    pub fn new(schema: &Schema) -> Result<Self> {
        Ok(Self {
            schema: SchemaRef::new(schema.clone()),
            order: name_order(schema.fields()),
            columns: logical_types(schema)?
                .into_iter()
                .map(ColumnHasher::new)
                .collect(),
            rows: RowsHasher::new(),
            count: 0,
        })
    }

    /// Adds the rows of `batch`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when names or types of the columns
    /// differ from the schema's.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let same = |(a, b): (&arrow::datatypes::FieldRef, &arrow::datatypes::FieldRef)| {
            a.name() == b.name() && a.data_type() == b.data_type()
        };
        let (ours, theirs) = (self.schema.fields(), schema.fields());
        if ours.len() != theirs.len() || !ours.iter().zip(theirs).all(same) {
            return Err(Error::invalid("a batch of another schema"));
        }
        let columns = batch
            .columns()
            .iter()
            .map(|array| slots(array.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        self.update_slots(&columns, batch.num_rows());
        Ok(())
    }

    /// Adds the first `rows` slots of every column, which come in schema order.
    pub(crate) fn update_slots(&mut self, columns: &[Box<dyn Slots + '_>], rows: usize) {
        self.count += rows as u64;
        for (hasher, column) in self.columns.iter_mut().zip(columns) {
            hasher.update(column.as_ref(), rows);
        }
        let ordered: Vec<&dyn Slots> = self.order.iter().map(|&i| columns[i].as_ref()).collect();
        self.rows.update(&ordered, rows);
    }

    /// Returns the logical types of the columns, in schema order.
    pub(crate) fn logical_types(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(ColumnHasher::logical_type)
    }

    /// Returns the digests of all rows added.
    #[must_use]
    pub fn finish(self) -> TableDigests {
        let mut table = blake3::Hasher::new_derive_key(TABLE_CONTEXT);
        let mut unordered = blake3::Hasher::new_derive_key(ROWS_CONTEXT);
        for hasher in [&mut table, &mut unordered] {
            hasher.update(&self.count.to_le_bytes());
            hasher.update(&(self.columns.len() as u64).to_le_bytes());
        }
        for &index in &self.order {
            write_text(&mut table, self.schema.field(index).name());
            write_text(&mut unordered, self.schema.field(index).name());
            write_text(&mut unordered, self.columns[index].logical_type());
        }
        unordered.update(&self.rows.finish());
        let columns: Vec<BulkDigest> = self.columns.into_iter().map(ColumnHasher::finish).collect();
        for &index in &self.order {
            table.update(columns[index].as_bytes());
        }
        TableDigests {
            rows: self.count,
            table: BulkDigest::from_bytes(table.finalize().into()),
            unordered: BulkDigest::from_bytes(unordered.finalize().into()),
            columns,
        }
    }
}

fn write_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
