//! Pieces that the rows alone say out of batches of any length.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, ErrorKind, Result};

use crate::cuts::fitting;

/// The most rows of a piece. The encoder may cut pages where what it is handed ends.
const PIECE_ROWS: usize = 8_192;
/// The most bytes that the values of a piece take, unless it is one row.
pub(crate) const PIECE_BYTES: u64 = 16 * 1024 * 1024;

/// Cuts a sequence of batches into pieces of 8,192 rows, or of fewer where more would take over 16 MiB as
/// [`value_bytes`](crate::value_bytes) counts; only the last one has less than fits.
///
/// Memory: the batches that wait, of which at most one piece is copied.
#[derive(Debug)]
pub(crate) struct Pieces {
    schema: SchemaRef,
    most: Size,
    waiting: VecDeque<RecordBatch>,
    rows: usize,
    /// What is known to fit the next piece.
    fit: Fit,
}

/// How large a piece is.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    rows: usize,
    bytes: u64,
}

/// The rows that wait, as far as they have been looked at.
#[derive(Debug, Default)]
struct Fit {
    size: Size,
    /// Batches that fit wholly.
    batches: usize,
    /// Rows of the batch behind them that fit.
    of_next: usize,
}

impl Pieces {
    pub(crate) fn new(schema: SchemaRef) -> Self {
        let most = Size {
            rows: PIECE_ROWS,
            bytes: PIECE_BYTES,
        };
        Self::of_size(schema, most)
    }

    fn of_size(schema: SchemaRef, most: Size) -> Self {
        Self {
            schema,
            most,
            waiting: VecDeque::new(),
            rows: 0,
            fit: Fit::default(),
        }
    }

    /// Adds a batch of the schema.
    pub(crate) fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.waiting.push_back(batch);
    }

    /// Takes the next piece, if it is known where it ends.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when batches of these types cannot be joined.
    pub(crate) fn next_whole(&mut self) -> Result<Option<RecordBatch>> {
        let rows = self.find_end();
        rows.map(|rows| self.take(rows)).transpose()
    }

    /// Takes the rows that are left when [`next_whole`](Self::next_whole) finds no more; `None` when there are
    /// none.
    ///
    /// # Errors
    /// As [`next_whole`](Self::next_whole).
    pub(crate) fn rest(&mut self) -> Result<Option<RecordBatch>> {
        let rows = self.rows;
        (rows > 0).then(|| self.take(rows)).transpose()
    }

    /// Returns how many rows wait.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes so many rows, or all when there are fewer.
    ///
    /// # Errors
    /// As [`next_whole`](Self::next_whole).
    pub(crate) fn take(&mut self, rows: usize) -> Result<RecordBatch> {
        let rows = rows.min(self.rows);
        let mut parts = Vec::new();
        let mut missing = rows;
        while missing > 0
            && let Some(batch) = self.waiting.pop_front()
        {
            let used = missing.min(batch.num_rows());
            missing -= used;
            if used < batch.num_rows() {
                let left = batch.slice(used, batch.num_rows() - used);
                self.waiting.push_front(left);
            }
            parts.push(batch.slice(0, used));
        }
        self.rows -= rows;
        self.fit = Fit::default();
        concat_batches(&self.schema, &parts).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "cannot join batches of these types")
                .with_source(error)
        })
    }

    /// Returns how many rows the next piece has; `None` where rows that come may be of it. No row is looked at
    /// again that fits.
    fn find_end(&mut self) -> Option<usize> {
        let Fit {
            size,
            batches,
            of_next,
        } = &mut self.fit;
        while let Some(batch) = self.waiting.get(*batches) {
            let left = self.most.rows - size.rows;
            let end = batch.num_rows().min(*of_next + left);
            let room = self.most.bytes.saturating_sub(size.bytes);
            let (rows, bytes) = fitting(batch, *of_next..end, room);
            size.rows += rows;
            size.bytes += bytes;
            *of_next += rows;
            if *of_next < batch.num_rows() {
                return Some(size.rows.max(1));
            }
            (*batches, *of_next) = (*batches + 1, 0);
        }
        (size.rows == self.most.rows).then_some(size.rows)
    }
}

#[cfg(test)]
mod tests;
