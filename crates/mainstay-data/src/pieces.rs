//! Batches of one length out of batches of any.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, ErrorKind, Result};

/// The rows of a piece. The encoder may cut pages where what it is handed ends.
const PIECE_ROWS: usize = 8_192;

/// Cuts a sequence of batches into pieces of 8,192 rows, only the last one shorter.
#[derive(Debug)]
pub(crate) struct Pieces {
    schema: SchemaRef,
    waiting: VecDeque<RecordBatch>,
    rows: usize,
}

impl Pieces {
    pub(crate) fn new(schema: SchemaRef) -> Self {
        Self {
            schema,
            waiting: VecDeque::new(),
            rows: 0,
        }
    }

    /// Adds a batch of the schema.
    pub(crate) fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.waiting.push_back(batch);
    }

    /// Takes the next piece of full length, if there are rows enough.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when batches of these types cannot be joined.
    pub(crate) fn next_whole(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows < PIECE_ROWS {
            return Ok(None);
        }
        self.take(PIECE_ROWS).map(Some)
    }

    /// Takes the rows that are left; `None` when there are none.
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
        concat_batches(&self.schema, &parts).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "cannot join batches of these types")
                .with_source(error)
        })
    }
}
