//! The digest of a column.

use mainstay_core::BulkDigest;

use super::Profile;
use super::layout::write_text;
use super::stream::ColumnStreams;
use crate::slots::Slots;

/// Hashes one column over any number of batches, in O(1) memory.
#[derive(Debug)]
pub(crate) struct ColumnHasher {
    logical_type: String,
    profile: Profile,
    count: u64,
    streams: ColumnStreams,
}

impl ColumnHasher {
    pub(crate) fn new(logical_type: String, profile: Profile) -> Self {
        Self {
            logical_type,
            profile,
            count: 0,
            streams: ColumnStreams::new(),
        }
    }

    /// Adds all slots of an array that has so many.
    pub(crate) fn update(&mut self, slots: &dyn Slots, rows: usize) {
        self.count += rows as u64;
        slots.stream(rows, &mut self.streams);
    }

    pub(crate) fn finish(mut self) -> BulkDigest {
        let mut hasher = blake3::Hasher::new_derive_key(self.profile.column_context());
        write_text(&mut hasher, &self.logical_type);
        hasher.update(&self.count.to_le_bytes());
        hasher.update(&self.streams.validity.take());
        hasher.update(&self.streams.lengths.take());
        hasher.update(&self.streams.values.take());
        BulkDigest::from_bytes(hasher.finalize().into())
    }
}
