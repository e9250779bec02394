//! Rows that tell how many have gone by.

use arrow::array::RecordBatch;
use mainstay_core::{Result, Telling};

/// The unit in which rows are told.
pub(crate) const ROWS: &str = "rows";

/// Hands on batches, and tells of their rows.
pub(crate) fn told<B: Iterator<Item = Result<RecordBatch>>>(
    batches: B,
    telling: &Telling,
) -> impl Iterator<Item = Result<RecordBatch>> + use<B> {
    let telling = telling.clone();
    batches.inspect(move |batch| {
        if let Ok(batch) = batch {
            telling.add(ROWS, batch.num_rows() as u64);
        }
    })
}

/// How many rows are told at once where they come one by one.
const AT_ONCE: u64 = 8_192;

/// Counts rows that come one by one, and tells of them.
#[derive(Debug)]
pub(crate) struct Passing {
    telling: Telling,
    rows: u64,
    told: u64,
}

impl Passing {
    pub(crate) fn new(telling: &Telling) -> Self {
        Self {
            telling: telling.clone(),
            rows: 0,
            told: 0,
        }
    }

    pub(crate) fn one(&mut self) {
        self.rows += 1;
        if self.rows - self.told == AT_ONCE {
            self.tell();
        }
    }

    /// Tells of all; returns how many there were.
    pub(crate) fn finish(mut self) -> u64 {
        self.tell();
        self.rows
    }

    fn tell(&mut self) {
        self.telling.add(ROWS, self.rows - self.told);
        self.told = self.rows;
    }
}
