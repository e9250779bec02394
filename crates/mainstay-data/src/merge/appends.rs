//! Tables without a key to which both sides only added rows.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::Result;

use super::Unmerged;
use super::rows::like;
use crate::cuts::cut_each;
use crate::digest::{Profile, TableHasher};
use crate::pieces::PIECE_BYTES;

/// A table that begins with the rows of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appends {
    /// How many rows the other has.
    pub(crate) base: u64,
    /// How many are behind them.
    pub(crate) behind: u64,
}

/// Tells how many rows `table` holds behind those of `base`, or why not: it does not begin with them, or has
/// values that are none of `schema`, which has the columns of both, in any order and encoding.
pub(crate) fn appends(
    base: impl Iterator<Item = Result<RecordBatch>>,
    table: impl Iterator<Item = Result<RecordBatch>>,
    schema: &SchemaRef,
) -> Result<std::result::Result<Appends, Unmerged>> {
    let mut expected = TableHasher::new(schema, Profile::Strict)?;
    let mut count = 0;
    // Another encoding may make a lot of a batch that is small.
    for batch in cut_each(base, PIECE_BYTES) {
        let Ok(batch) = like(&batch?, schema) else {
            return Ok(Err(Unmerged::Values));
        };
        count += batch.num_rows();
        expected.update(&batch)?;
    }
    let base = count as u64;
    let mut begins = TableHasher::new(schema, Profile::Strict)?;
    let mut behind = 0;
    for batch in cut_each(table, PIECE_BYTES) {
        let Ok(batch) = like(&batch?, schema) else {
            return Ok(Err(Unmerged::Values));
        };
        let known = count.min(batch.num_rows());
        count -= known;
        begins.update(&batch.slice(0, known))?;
        behind += (batch.num_rows() - known) as u64;
    }
    let same = begins.finish()?.table == expected.finish()?.table;
    Ok(same
        .then_some(Appends { base, behind })
        .ok_or(Unmerged::NoKey))
}

/// Returns what of a batch, whose first row is number `first`, is behind the rows of the base.
pub(crate) fn behind(batch: &RecordBatch, first: u64, base: u64) -> RecordBatch {
    let known = base.saturating_sub(first);
    let known = usize::try_from(known).map_or(batch.num_rows(), |rows| rows.min(batch.num_rows()));
    batch.slice(known, batch.num_rows() - known)
}
