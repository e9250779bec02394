//! Values that are repeated.

use std::ops::Range;

use arrow::datatypes::FieldRef;
use mainstay_core::Result;

use super::numbers::{count, number, small, times, width_of};
use super::{Cut, Stop};
use crate::format::ipc::message::not_ipc;

impl Cut<'_> {
    /// Cuts where runs end; returns which runs the rows are in.
    pub(super) fn run_ends(
        &mut self,
        ends: &FieldRef,
        rows: &Range<u64>,
    ) -> Result<Range<u64>, Stop> {
        let width = width_of(ends.data_type())?;
        let (node, place) = self.node(&(0..0))?;
        self.validity(node, place, &(0..0))?;
        let buffer = self.buffer();
        let runs = if rows.is_empty() {
            0..0
        } else {
            let first = self.run_of(buffer, width, node.length, rows.start)?;
            first..self.run_of(buffer, width, node.length, rows.end - 1)? + 1
        };
        let bytes = self.read(buffer, times(runs.start, width)?..times(runs.end, width)?)?;
        let mut written = Vec::with_capacity(bytes.len());
        for end in bytes.chunks_exact(small(width)?) {
            let end = run_end(end)?.clamp(rows.start, rows.end) - rows.start;
            written.extend_from_slice(&end.to_le_bytes()[..small(width)?]);
        }
        self.write(&written);
        self.pieces.nodes[place].0 = count(&runs);
        Ok(runs)
    }

    /// Finds the run that a row is in.
    fn run_of(&mut self, buffer: usize, width: u64, runs: u64, row: u64) -> Result<u64, Stop> {
        let (mut first, mut last) = (0, runs);
        while first < last {
            let middle = first + (last - first) / 2;
            let end = self.read(buffer, times(middle, width)?..times(middle + 1, width)?)?;
            if run_end(&end)? > row {
                last = middle;
            } else {
                first = middle + 1;
            }
        }
        if first == runs {
            return Err(not_ipc("runs end before their column").into());
        }
        Ok(first)
    }
}

/// Reads where a run ends.
fn run_end(bytes: &[u8]) -> Result<u64> {
    match bytes.last() {
        Some(0x80..) | None => Err(not_ipc("a run that ends before it begins")),
        Some(_) => Ok(number(bytes)),
    }
}
