//! `LtHash` over 512 lanes of 64 bits: a sum that stands for a multiset.
//!
//! Sources: Bellare and Micciancio, *A New Paradigm for Collision-Free Hashing*, EUROCRYPT 1997;
//! Lewi, Kim, Maykov and Weis, *Securing Update Propagation with Homomorphic Hashing*, ePrint
//! 2019/227. The width of the lanes and their number are argued for in
//! `docs/formats/table-digest.md`.

use super::stream::ByteStream;

const LANES: usize = 512;

/// The width of a sum in bytes.
const BYTES: usize = LANES * size_of::<u64>();

/// A sum of hashes, lane by lane.
#[derive(Clone)]
pub(super) struct LaneSum {
    lanes: Box<[u64; LANES]>,
    /// Where a hash is expanded: 4 KiB that are not cleared for every row.
    expanded: Box<[u8; BYTES]>,
}

impl LaneSum {
    pub(super) fn new() -> Self {
        Self {
            lanes: Box::new([0; LANES]),
            expanded: Box::new([0; BYTES]),
        }
    }

    /// Adds the hash of what was written to `row`, which begins anew.
    pub(super) fn add(&mut self, row: &mut ByteStream) {
        self.combine(row, u64::wrapping_add);
    }

    /// Takes away the hash of what was written to `row`, which begins anew.
    pub(super) fn subtract(&mut self, row: &mut ByteStream) {
        self.combine(row, u64::wrapping_sub);
    }

    fn combine(&mut self, row: &mut ByteStream, operation: impl Fn(u64, u64) -> u64) {
        row.take_into(self.expanded.as_mut());
        let (words, _) = self.expanded.as_chunks();
        for (lane, word) in self.lanes.iter_mut().zip(words) {
            *lane = operation(*lane, u64::from_le_bytes(*word));
        }
    }

    /// Adds another sum.
    pub(super) fn merge(&mut self, other: &Self) {
        for (lane, addend) in self.lanes.iter_mut().zip(other.lanes.iter()) {
            *lane = lane.wrapping_add(*addend);
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.lanes
            .iter()
            .flat_map(|lane| lane.to_le_bytes())
            .collect()
    }
}

impl std::fmt::Debug for LaneSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneSum").finish_non_exhaustive()
    }
}
