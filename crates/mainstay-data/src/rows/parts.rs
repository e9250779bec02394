//! The rows of a table, divided by a hash of their keys: equal keys come into one part.

use std::path::Path;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use mainstay_core::{Error, Result};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::columns::each_row;
use super::failure::immovable;
use super::spill::Spill;
use crate::digest::Profile;

/// Into how many parts a table is divided at a time.
const PARTS: u8 = 32;

/// The parts of a table that grows.
#[derive(Debug)]
pub(super) struct Parts {
    /// How often these rows were divided before; each time by another hash.
    level: u64,
    key: Vec<(usize, Profile)>,
    schema: SchemaRef,
    all: Vec<Part>,
}

/// Rows that no row of another part has the key of.
#[derive(Debug, Default)]
pub(super) struct Part {
    spilled: Option<Spill>,
    /// Behind those that were spilled.
    batches: Vec<RecordBatch>,
    /// How much memory `batches` take.
    buffered: usize,
    /// How much memory all of them would take.
    bytes: usize,
}

impl Parts {
    pub(super) fn new(level: u64, key: Vec<(usize, Profile)>, schema: SchemaRef) -> Self {
        Self {
            level,
            key,
            schema,
            all: (0..PARTS).map(|_| Part::default()).collect(),
        }
    }

    /// Divides the rows of a batch among the parts.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); usize::from(PARTS)];
        let level = self.level;
        each_row(batch, &self.key, |row, key| {
            let hash = xxh3_64_with_seed(key, level);
            let part = usize::from(u8::try_from(hash % u64::from(PARTS)).unwrap_or(0));
            rows[part].push(u32::try_from(row).map_err(|cause| {
                Error::invalid("a batch of more than 2^32 rows").with_source(cause)
            })?);
            Ok(())
        })?;
        for (part, rows) in self.all.iter_mut().zip(rows) {
            if !rows.is_empty() {
                let rows = UInt32Array::from(rows);
                part.push(take_record_batch(batch, &rows).map_err(immovable)?);
            }
        }
        Ok(())
    }

    /// Returns how much memory the rows take.
    pub(super) fn buffered(&self) -> usize {
        self.all.iter().map(|part| part.buffered).sum()
    }

    /// Returns how much memory the largest part takes.
    pub(super) fn largest(&self) -> usize {
        self.all.iter().map(|part| part.buffered).max().unwrap_or(0)
    }

    /// Moves the largest part to disk.
    pub(super) fn spill_largest(&mut self, directory: Option<&Path>) -> Result<()> {
        let largest = self.all.iter_mut().max_by_key(|part| part.buffered);
        largest.map_or(Ok(()), |part| part.spill(directory, &self.schema))
    }

    pub(super) fn finish(self) -> Vec<Part> {
        self.all
    }
}

impl Part {
    fn push(&mut self, batch: RecordBatch) {
        let bytes = batch.get_array_memory_size();
        self.buffered += bytes;
        self.bytes += bytes;
        self.batches.push(batch);
    }

    fn spill(&mut self, directory: Option<&Path>, schema: &SchemaRef) -> Result<()> {
        let spill = match &mut self.spilled {
            Some(spill) => spill,
            None => self.spilled.insert(Spill::create(directory, schema)?),
        };
        let whole = concat_batches(schema, &self.batches);
        if let Ok(whole) = whole {
            spill.push(&whole)?;
        } else {
            // Too many bytes for the offsets of one batch.
            self.batches
                .iter()
                .try_for_each(|batch| spill.push(batch))?;
        }
        self.batches.clear();
        self.buffered = 0;
        Ok(())
    }

    /// Returns how much memory its rows would take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how much memory it takes.
    pub(super) fn buffered(&self) -> usize {
        self.buffered
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Shows its rows, in the order in which they were added.
    pub(super) fn read(self, mut show: impl FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        if let Some(spill) = self.spilled {
            spill.read()?.try_for_each(|batch| show(batch?))?;
        }
        self.batches.into_iter().try_for_each(show)
    }
}
