//! Adding the rows of both sides at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{RecordBatch, UInt64Array};
use mainstay_core::Result;

use super::RowDiffOptions;
use super::columns::Table;
use super::parts::Parts;
use super::side::{Both, Side};
use crate::cuts::cut;
use crate::pieces::PIECE_BYTES;

/// Adds the rows of one side, while another thread may add those of the other.
pub(crate) struct Adder<'a> {
    pub(super) side: Side,
    pub(super) table: &'a Table,
    pub(super) parts: &'a mut Parts,
    /// How many rows the side has.
    pub(super) rows: &'a mut u64,
    /// How much memory the rows of either side take.
    pub(super) buffered: &'a Both<AtomicUsize>,
    pub(super) options: &'a RowDiffOptions,
}

impl Adder<'_> {
    /// Adds rows that have these numbers.
    ///
    /// Both sides together may take half of the memory allowed, or three quarters when one had all of that
    /// half before the other began: a side moves its own rows to disk alone, and a quarter is left to it.
    ///
    /// Rows of dictionaries and runs become plain, of which a batch that is small may make a lot: it is added in
    /// parts.
    pub(crate) fn add(&mut self, numbers: &UInt64Array, batch: &RecordBatch) -> Result<()> {
        *self.rows += batch.num_rows() as u64;
        let mut start = 0;
        for part in cut(batch, PIECE_BYTES) {
            let numbers = numbers.slice(start, part.num_rows());
            start += part.num_rows();
            self.add_part(numbers, &part)?;
        }
        Ok(())
    }

    fn add_part(&mut self, numbers: UInt64Array, batch: &RecordBatch) -> Result<()> {
        let batch = self.table.keep(batch, numbers)?;
        self.parts.add(&batch)?;
        let own = self.options.memory_bytes / 4;
        loop {
            let buffered = self.parts.buffered();
            self.buffered[self.side].store(buffered, Ordering::Relaxed);
            let both = self
                .buffered
                .iter()
                .map(|side| side.load(Ordering::Relaxed));
            if buffered <= own || both.sum::<usize>() <= 2 * own {
                return Ok(());
            }
            self.parts
                .spill_largest(self.options.directory.as_deref())?;
        }
    }
}
