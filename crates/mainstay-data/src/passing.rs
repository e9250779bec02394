//! Rows that tell how many have gone by.

use arrow::array::RecordBatch;
use mainstay_core::{Result, Telling};

/// The unit in which rows are told.
pub(crate) const ROWS: &str = "rows";

/// Hands on batches, and tells of their rows.
pub(crate) fn told(
    batches: impl Iterator<Item = Result<RecordBatch>>,
    telling: &Telling,
) -> impl Iterator<Item = Result<RecordBatch>> {
    batches.inspect(|batch| {
        if let Ok(batch) = batch {
            telling.add(ROWS, batch.num_rows() as u64);
        }
    })
}
