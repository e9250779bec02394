//! Hashes of chosen cells of rows, whatever the encoding and width of their columns.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use mainstay_core::{Error, Result};

use crate::digest::{ByteSink as _, ByteStream, Profile};
use crate::slots::{slots, write_cell};

/// Hashes some columns of each row: BLAKE3 in key derivation mode over a prefix and the cells of the
/// semantic profile of `docs/formats/table-digest.md`, in the order of the columns.
#[derive(Debug, Clone)]
pub(crate) struct CellHasher {
    columns: Vec<String>,
    prefix: Vec<u8>,
    stream: Box<ByteStream>,
}

impl CellHasher {
    pub(crate) fn new(context: &str, prefix: &[u8], columns: &[String]) -> Self {
        Self {
            columns: columns.to_vec(),
            prefix: prefix.to_vec(),
            stream: Box::new(ByteStream::with_hasher(blake3::Hasher::new_derive_key(
                context,
            ))),
        }
    }

    /// Returns the hash of each row.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when the batch lacks a column.
    pub(crate) fn hash(&mut self, batch: &RecordBatch) -> Result<Vec<[u8; 32]>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for name in &self.columns {
            let array = batch.column(index_of(&batch.schema(), name)?);
            columns.push(slots(array.as_ref(), Profile::Semantic)?);
        }
        let hashes = (0..batch.num_rows()).map(|row| {
            self.stream.write(&self.prefix);
            for column in &columns {
                write_cell(column.as_ref(), row, self.stream.as_mut());
            }
            self.stream.take()
        });
        Ok(hashes.collect())
    }
}

/// Returns the place of a column.
///
/// # Errors
/// [`NotFound`](mainstay_core::ErrorKind::NotFound) naming it.
pub(crate) fn index_of(schema: &Schema, name: &str) -> Result<usize> {
    let index = schema.index_of(name);
    index.map_err(|_| Error::not_found("column", name.escape_debug()))
}

/// Returns the first bytes of a hash as a number.
pub(crate) fn first_64(hash: &[u8; 32]) -> u64 {
    let (words, _) = hash.as_chunks();
    words.first().map_or(0, |word| u64::from_le_bytes(*word))
}
