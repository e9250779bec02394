//! The digest of a table's rows in any order.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use mainstay_core::{BulkDigest, Error, Result};

use super::Profile;
use super::layout::{Layout, write_text};
use super::stream::ByteStream;
use super::sum::LaneSum;
use crate::slots::write_cell;

/// Computes the digest of rows as a multiset: their order does not count, their number does.
///
/// Rows are added and removed in any order, and hashers are merged, so that the digest of a changed
/// table costs what the change costs. Collision resistant, also where rows repeat: the argument and
/// its numbers are in `docs/formats/table-digest.md`.
///
/// Memory: 12 KiB and the batch. Complexity: 64 BLAKE3 compressions a row besides its bytes.
///
/// ```
/// use std::sync::Arc;
///
/// use mainstay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use mainstay_data::digest::{Profile, RowsHasher};
///
/// let rows = |letters: &[&str]| {
///     let column: ArrayRef = Arc::new(StringArray::from(letters.to_vec()));
///     RecordBatch::try_from_iter([("letter", column)]).unwrap()
/// };
/// let schema = rows(&[]).schema();
/// let mut today = RowsHasher::new(&schema, Profile::Strict)?;
/// today.add(&rows(&["a", "b", "b"]))?;
/// let mut tomorrow = today.clone();
/// tomorrow.remove(&rows(&["b"]))?;
/// assert_ne!(tomorrow.finish()?, today.finish()?);
/// tomorrow.add(&rows(&["b"]))?;
/// assert_eq!(tomorrow.finish()?, today.finish()?);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RowsHasher {
    layout: Layout,
    row: ByteStream,
    sum: LaneSum,
    /// Rows added less rows removed: below 0 for a change that is not yet merged.
    count: i128,
}

impl RowsHasher {
    /// Prepares to hash rows of `schema`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) as
    /// [`TableHasher::new`](super::TableHasher::new).
    pub fn new(schema: &Schema, profile: Profile) -> Result<Self> {
        Ok(Self::with_layout(Layout::new(schema, profile)?))
    }

    pub(crate) fn with_layout(layout: Layout) -> Self {
        let hasher = blake3::Hasher::new_derive_key(layout.profile().row_context());
        Self {
            layout,
            row: ByteStream::with_hasher(hasher),
            sum: LaneSum::new(),
            count: 0,
        }
    }

    /// Adds the rows of `batch`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when names or types of the columns
    /// differ from the schema's.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        self.each(batch, LaneSum::add)?;
        self.count += batch.num_rows() as i128;
        Ok(())
    }

    /// Removes the rows of `batch`, whether they were added before or will be.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn remove(&mut self, batch: &RecordBatch) -> Result<()> {
        self.each(batch, LaneSum::subtract)?;
        self.count -= batch.num_rows() as i128;
        Ok(())
    }

    /// Adds what another hasher was given, of the same names and logical types in any order and
    /// encoding.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when they or the profile differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let same = self.layout.profile() == other.layout.profile()
            && self.layout.columns().eq(other.layout.columns());
        if !same {
            return Err(Error::invalid("rows of another schema or profile"));
        }
        self.sum.merge(&other.sum);
        self.count += other.count;
        Ok(())
    }

    /// Returns the digest of the rows.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when more rows were removed than added.
    pub fn finish(&self) -> Result<BulkDigest> {
        let count = u64::try_from(self.count)
            .map_err(|cause| Error::invalid("more rows removed than added").with_source(cause))?;
        let mut hasher = blake3::Hasher::new_derive_key(self.layout.profile().rows_context());
        hasher.update(&count.to_le_bytes());
        hasher.update(&(self.layout.types().len() as u64).to_le_bytes());
        for (name, logical_type) in self.layout.columns() {
            write_text(&mut hasher, name);
            write_text(&mut hasher, logical_type);
        }
        hasher.update(&self.sum.to_bytes());
        Ok(BulkDigest::from_bytes(hasher.finalize().into()))
    }

    fn each(&mut self, batch: &RecordBatch, take: fn(&mut LaneSum, &mut ByteStream)) -> Result<()> {
        self.layout.check(batch)?;
        let columns = self.layout.open(batch)?;
        for row in 0..batch.num_rows() {
            for column in &columns {
                write_cell(column.as_ref(), row, &mut self.row);
            }
            take(&mut self.sum, &mut self.row);
        }
        Ok(())
    }
}
