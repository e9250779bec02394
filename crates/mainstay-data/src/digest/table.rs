//! The digests of a table's columns and of their order of rows.

use std::num::NonZeroUsize;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Schema;
use mainstay_core::{BulkDigest, Error, ErrorKind, Result};

use super::layout::write_text;
use super::{ColumnHasher, Layout, Profile};
use crate::slots::slots;
use crate::workers::{Workers, shares};

/// Computes the digests of a table and of its columns from its batches.
///
/// Memory: at most 56 KiB a column, and with several threads two batches for each.
///
/// ```
/// use std::sync::Arc;
///
/// use mainstay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use mainstay_data::digest::{Profile, TableHasher};
///
/// let column: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
/// let batch = RecordBatch::try_from_iter([("letter", column)]).unwrap();
/// let mut whole = TableHasher::new(&batch.schema(), Profile::Strict)?;
/// whole.update(&batch)?;
///
/// let mut pieces = TableHasher::new(&batch.schema(), Profile::Strict)?;
/// pieces.update(&batch.slice(0, 1))?;
/// pieces.update(&batch.slice(1, 2))?;
/// assert_eq!(whole.finish()?, pieces.finish()?);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug)]
pub struct TableHasher {
    layout: Layout,
    threads: NonZeroUsize,
    columns: Columns,
    count: u64,
}

/// A column's place in the schema, and its hasher.
type Share = Vec<(usize, ColumnHasher)>;

#[derive(Debug)]
enum Columns {
    /// Before the first batch, which tells how to divide the columns among threads.
    Waiting(Share),
    Running(Workers<Share>),
}

/// The digests of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableDigests {
    /// How many rows.
    pub rows: u64,
    /// Identifies the values and the order of the rows; columns count by name, not by place.
    pub table: BulkDigest,
    /// One digest for each column, in schema order: its type and values, not its name.
    pub columns: Vec<BulkDigest>,
}

impl TableHasher {
    /// Prepares to hash batches of `schema` on the calling thread.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for more than 16,384 columns, types nested more than 32 levels deep,
    /// and maps whose entries are not key and value.
    pub fn new(schema: &Schema, profile: Profile) -> Result<Self> {
        Self::parallel(schema, profile, NonZeroUsize::MIN)
    }

    /// Prepares to hash batches of `schema` on so many threads, each of which takes some columns.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn parallel(schema: &Schema, profile: Profile, threads: NonZeroUsize) -> Result<Self> {
        let layout = Layout::new(schema, profile)?;
        let hashers = layout.types().iter();
        let hashers = hashers.map(|text| ColumnHasher::new(text.clone(), profile));
        Ok(Self {
            columns: Columns::Waiting(hashers.enumerate().collect()),
            layout,
            threads,
            count: 0,
        })
    }

    /// Adds the rows of `batch`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when names or types of the columns differ from the schema's.
    pub fn update(&mut self, batch: &RecordBatch) -> Result<()> {
        self.layout.check(batch)?;
        self.count += batch.num_rows() as u64;
        if let Columns::Waiting(columns) = &mut self.columns {
            let columns = std::mem::take(columns);
            let states = divide(columns, batch, self.threads);
            let profile = self.layout.profile();
            let work = move |share: &mut Share, batch: &RecordBatch| hash(share, batch, profile);
            self.columns = Columns::Running(Workers::start(states, work)?);
        }
        match &mut self.columns {
            Columns::Running(workers) => workers.feed(batch),
            Columns::Waiting(_) => Ok(()),
        }
    }

    /// Returns the digests of all rows added.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when a thread panicked.
    pub fn finish(self) -> Result<TableDigests> {
        let mut columns: Share = match self.columns {
            Columns::Waiting(columns) => columns,
            Columns::Running(workers) => workers.finish()?.into_iter().flatten().collect(),
        };
        columns.sort_by_key(|(index, _)| *index);
        let columns: Vec<BulkDigest> = columns.into_iter().map(|(_, c)| c.finish()).collect();
        Ok(TableDigests {
            rows: self.count,
            table: table_digest(&self.layout, self.count, &columns)?,
            columns,
        })
    }
}

/// Divides columns among at most so many threads, by what their arrays weigh.
fn divide(columns: Share, batch: &RecordBatch, threads: NonZeroUsize) -> Vec<Share> {
    let weights = batch.columns().iter().map(Array::get_buffer_memory_size);
    let owner = shares(&weights.collect::<Vec<_>>(), threads);
    let count = owner.iter().max().map_or(1, |last| last + 1);
    let mut states: Vec<Share> = std::iter::repeat_with(Vec::new).take(count).collect();
    for (column, owner) in columns.into_iter().zip(owner) {
        states[owner].push(column);
    }
    states
}

fn hash(share: &mut Share, batch: &RecordBatch, profile: Profile) -> Result<()> {
    for (index, hasher) in share {
        let column = slots(batch.column(*index).as_ref(), profile)?;
        hasher.update(column.as_ref(), batch.num_rows());
    }
    Ok(())
}

/// Puts the digests of columns, in schema order, together.
pub(crate) fn table_digest(
    layout: &Layout,
    rows: u64,
    columns: &[BulkDigest],
) -> Result<BulkDigest> {
    let mut hasher = blake3::Hasher::new_derive_key(layout.profile().table_context());
    hasher.update(&rows.to_le_bytes());
    hasher.update(&(columns.len() as u64).to_le_bytes());
    for (name, _) in layout.columns() {
        write_text(&mut hasher, name);
    }
    for &index in layout.order() {
        let column = columns.get(index);
        let lost = || Error::new(ErrorKind::Internal, "a column was not hashed");
        hasher.update(column.ok_or_else(lost)?.as_bytes());
    }
    Ok(BulkDigest::from_bytes(hasher.finalize().into()))
}
