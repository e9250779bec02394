//! The digest of a column: three streams, so that no value can imitate a null or a border.

use mainstay_core::BulkDigest;

use super::stream::{BitStream, ByteSink as _, ByteStream};
use crate::slots::Slots;

const CONTEXT: &str = "mainstay table-digest v1 column";

/// Hashes one column over any number of batches, in O(1) memory.
#[derive(Debug)]
pub(super) struct ColumnHasher {
    logical_type: String,
    count: u64,
    validity: BitStream,
    lengths: ByteStream,
    values: ByteStream,
}

impl ColumnHasher {
    pub(super) fn new(logical_type: String) -> Self {
        Self {
            logical_type,
            count: 0,
            validity: BitStream::new(),
            lengths: ByteStream::new(),
            values: ByteStream::new(),
        }
    }

    pub(super) fn logical_type(&self) -> &str {
        &self.logical_type
    }

    /// Adds the first `rows` slots.
    pub(super) fn update(&mut self, slots: &dyn Slots, rows: usize) {
        self.count += rows as u64;
        if let Some(values) = slots.contiguous() {
            self.validity.push_ones(rows);
            self.values.write(values);
            for length in (0..rows).map_while(|row| slots.length(row)) {
                self.lengths.write_varint(length);
            }
            return;
        }
        for row in 0..rows {
            let valid = !slots.is_null(row);
            self.validity.push(valid);
            if valid {
                if let Some(length) = slots.length(row) {
                    self.lengths.write_varint(length);
                }
                slots.write(row, &mut self.values);
            }
        }
    }

    pub(super) fn finish(mut self) -> BulkDigest {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&(self.logical_type.len() as u64).to_le_bytes());
        hasher.update(self.logical_type.as_bytes());
        hasher.update(&self.count.to_le_bytes());
        hasher.update(&self.validity.take());
        hasher.update(&self.lengths.take());
        hasher.update(&self.values.take());
        BulkDigest::from_bytes(hasher.finalize().into())
    }
}
