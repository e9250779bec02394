//! The columns of a table as they are hashed: their order, their logical types.

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use mainstay_core::{Error, Result};

use super::Profile;
use crate::logical::{logical_types, name_order};
use crate::slots::{Slots, slots};

/// A schema, and what hashing needs to know of it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    schema: SchemaRef,
    profile: Profile,
    /// Indices of the columns in name order.
    order: Vec<usize>,
    /// Logical types in schema order.
    types: Vec<String>,
}

impl Layout {
    /// # Errors
    /// As [`logical_types`].
    pub(crate) fn new(schema: &Schema, profile: Profile) -> Result<Self> {
        Ok(Self {
            types: logical_types(schema, profile)?,
            order: name_order(schema.fields()),
            schema: SchemaRef::new(schema.clone()),
            profile,
        })
    }

    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the logical types of the columns, in schema order.
    pub(crate) fn types(&self) -> &[String] {
        &self.types
    }

    pub(crate) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Checks that a batch has these columns.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when names or types of the columns differ.
    pub(super) fn check(&self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let same =
            |(a, b): (&FieldRef, &FieldRef)| a.name() == b.name() && a.data_type() == b.data_type();
        let (ours, theirs) = (self.schema.fields(), schema.fields());
        if ours.len() == theirs.len() && ours.iter().zip(theirs).all(same) {
            Ok(())
        } else {
            Err(Error::invalid("a batch of another schema"))
        }
    }

    /// Opens the columns of a batch, in name order.
    pub(super) fn open<'a>(&self, batch: &'a RecordBatch) -> Result<Vec<Box<dyn Slots + 'a>>> {
        let columns = self.order.iter().map(|&index| batch.column(index));
        columns
            .map(|array| slots(array.as_ref(), self.profile))
            .collect()
    }

    /// Returns names and logical types of the columns, in name order.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.order.iter().map(|&index| {
            let name = self.schema.field(index).name();
            (name.as_str(), self.types[index].as_str())
        })
    }
}

pub(super) fn write_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
