//! Applying a patch to the batches of its base.

use std::collections::VecDeque;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, Result};

use super::{Edits, Patch, Run};
use crate::pieces::Pieces;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Applies `patch` to `base`, whose batches have `schema`: columns of the table, in any order.
///
/// The batches that come out have the schema. A base that has not the rows that the patch speaks of is
/// [`Invalid`](mainstay_core::ErrorKind::Invalid).
pub(crate) fn apply(patch: Patch, base: Batches, schema: &SchemaRef) -> Result<Batches> {
    let fields = schema.fields().iter();
    let inserted = match &patch.inserted {
        Some(rows) => {
            let places: std::result::Result<Vec<usize>, _> = fields
                .map(|field| rows.schema().index_of(field.name()))
                .collect();
            let rows = places.and_then(|places| rows.project(&places));
            Some(rows.map_err(|error| unfit("no rows of its table").with_source(error))?)
        }
        None => None,
    };
    let wanted = |edits: &Edits| schema.index_of(&edits.column).ok();
    let edits = patch.edits.into_iter();
    Ok(Box::new(Patched {
        edits: edits
            .filter_map(|edits| Some((wanted(&edits)?, edits)))
            .collect(),
        base,
        held: None,
        runs: patch.runs.into(),
        inserted,
        at_inserted: 0,
        at: 0,
        pieces: Pieces::new(SchemaRef::clone(schema)),
    }))
}

struct Patched {
    base: Batches,
    /// What is left of a batch of the base.
    held: Option<RecordBatch>,
    runs: VecDeque<Run>,
    /// By place in the schema.
    edits: Vec<(usize, Edits)>,
    inserted: Option<RecordBatch>,
    at_inserted: usize,
    /// The next row of the new table.
    at: u64,
    pieces: Pieces,
}

impl Iterator for Patched {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

impl Patched {
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(piece) = self.pieces.next_whole()? {
                return Ok(Some(piece));
            }
            let Some(run) = self.runs.pop_front() else {
                if self.held.is_some() || self.base.next().transpose()?.is_some() {
                    return Err(unfit("fewer rows than its base has"));
                }
                return self.pieces.rest();
            };
            match run {
                Run::Keep(0) | Run::Delete(0) | Run::Insert(0) => {}
                Run::Keep(rows) => {
                    let part = self.take(rows)?;
                    let left = rows - part.num_rows() as u64;
                    self.runs.push_front(Run::Keep(left));
                    let edited = self.edit(&part)?;
                    self.push(edited);
                }
                Run::Delete(rows) => {
                    let left = rows - self.take(rows)?.num_rows() as u64;
                    self.runs.push_front(Run::Delete(left));
                }
                Run::Insert(rows) => {
                    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
                    let held = self.inserted.as_ref();
                    let held = held.filter(|held| rows <= held.num_rows() - self.at_inserted);
                    let held = held.ok_or_else(|| unfit("inserted rows are missing"))?;
                    let part = held.slice(self.at_inserted, rows);
                    self.at_inserted += rows;
                    self.push(part);
                }
            }
        }
    }

    fn push(&mut self, part: RecordBatch) {
        self.at += part.num_rows() as u64;
        self.pieces.push(part);
    }

    /// Takes at most so many rows of the base, at least one.
    fn take(&mut self, rows: u64) -> Result<RecordBatch> {
        let batch = match self.held.take() {
            Some(batch) => batch,
            None => loop {
                let batch = self.base.next().transpose()?;
                let batch = batch.ok_or_else(|| unfit("more rows than its base has"))?;
                if batch.num_rows() > 0 {
                    break batch;
                }
            },
        };
        let used =
            usize::try_from(rows).map_or(batch.num_rows(), |rows| rows.min(batch.num_rows()));
        if used < batch.num_rows() {
            self.held = Some(batch.slice(used, batch.num_rows() - used));
        }
        Ok(batch.slice(0, used))
    }

    /// Changes the cells of rows that come next.
    fn edit(&self, part: &RecordBatch) -> Result<RecordBatch> {
        let rows = part.num_rows();
        let end = self.at + rows as u64;
        let mut columns = part.columns().to_vec();
        for (place, edits) in &self.edits {
            let first = edits.rows.partition_point(|&row| row < self.at);
            let last = edits.rows.partition_point(|&row| row < end);
            if first == last {
                continue;
            }
            let mut from: Vec<(usize, usize)> = (0..rows).map(|row| (0, row)).collect();
            for index in first..last {
                // Within the part, which fits a usize.
                let row = usize::try_from(edits.rows[index] - self.at).unwrap_or(rows);
                from[row] = (1, index);
            }
            let arrays: [&dyn Array; 2] = [columns[*place].as_ref(), edits.values.as_ref()];
            columns[*place] = interleave(&arrays, &from)
                .map_err(|error| unfit("values of another type").with_source(error))?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(part.schema(), columns, &options)
            .map_err(|error| unfit("values that its table does not take").with_source(error))
    }
}

fn unfit(why: &str) -> Error {
    Error::invalid(format!("a patch that does not fit its table: {why}"))
}
