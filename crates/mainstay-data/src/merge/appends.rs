//! Tables without a key to which both sides only added rows.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::Result;

use super::rows::like;
use crate::digest::{Profile, TableHasher};

/// What is behind the rows that a table begins with.
#[derive(Debug)]
pub(crate) struct Appends {
    pub(crate) rows: Vec<RecordBatch>,
}

/// Returns what `table` holds behind the rows of `base`; `None` when it does not begin with them.
/// Batches get the schema of the first.
pub(crate) fn appends(
    base: impl Iterator<Item = Result<RecordBatch>>,
    table: impl Iterator<Item = Result<RecordBatch>>,
    schema: &SchemaRef,
) -> Result<Option<Appends>> {
    let mut expected = TableHasher::new(schema, Profile::Strict)?;
    let mut count = 0;
    for batch in base {
        let batch = like(&batch?, schema)?;
        count += batch.num_rows();
        expected.update(&batch)?;
    }
    let mut begins = TableHasher::new(schema, Profile::Strict)?;
    let mut rows = Vec::new();
    for batch in table {
        let batch = like(&batch?, schema)?;
        let known = count.min(batch.num_rows());
        count -= known;
        begins.update(&batch.slice(0, known))?;
        rows.push(batch.slice(known, batch.num_rows() - known));
    }
    let same = begins.finish()?.table == expected.finish()?.table;
    Ok(same.then_some(Appends { rows }))
}
