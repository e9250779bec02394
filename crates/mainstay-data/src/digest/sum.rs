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

/// How many hashes are added together, which reads and writes the lanes once.
const GROUP: usize = 4;

/// What is done with hashes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Add,
    Remove,
}

/// A sum of hashes, lane by lane.
#[derive(Clone)]
pub(super) struct LaneSum {
    lanes: Box<[u64; LANES]>,
    /// Where hashes are expanded: memory that is not cleared for every row.
    expanded: Box<[[u8; BYTES]; GROUP]>,
}

impl LaneSum {
    pub(super) fn new() -> Self {
        Self {
            lanes: Box::new([0; LANES]),
            expanded: Box::new([[0; BYTES]; GROUP]),
        }
    }

    /// Adds or takes away the hashes of rows, each that of what `hasher` begins with and the row. Rows that
    /// are equal and follow each other are hashed once.
    pub(super) fn change(&mut self, change: Change, rows: &[Vec<u8>], hasher: &mut ByteStream) {
        let (mut times, mut used) = ([0; GROUP], 0);
        for equal in rows.chunk_by(|a, b| a == b) {
            let row = equal.first().map_or(&[][..], Vec::as_slice);
            hasher.take_into(row, &mut self.expanded[used]);
            times[used] = equal.len() as u64;
            used += 1;
            if used == GROUP {
                self.fold(change, times);
                (times, used) = ([0; GROUP], 0);
            }
        }
        if used > 0 {
            self.fold(change, times);
        }
    }

    /// Adds or takes away what is expanded, each so many times.
    fn fold(&mut self, change: Change, times: [u64; GROUP]) {
        match (change, times == [1; GROUP]) {
            (Change::Add, true) => self.each_lane(|lane, [a, b, c, d]| {
                let sum = a.wrapping_add(b).wrapping_add(c).wrapping_add(d);
                lane.wrapping_add(sum)
            }),
            (Change::Remove, true) => self.each_lane(|lane, [a, b, c, d]| {
                let sum = a.wrapping_add(b).wrapping_add(c).wrapping_add(d);
                lane.wrapping_sub(sum)
            }),
            (_, false) => {
                let factors = match change {
                    Change::Add => times,
                    Change::Remove => times.map(u64::wrapping_neg),
                };
                self.each_lane(|lane, words| {
                    let products = words.iter().zip(factors);
                    products.fold(lane, |sum, (word, factor)| {
                        sum.wrapping_add(word.wrapping_mul(factor))
                    })
                });
            }
        }
    }

    fn each_lane(&mut self, combine: impl Fn(u64, [u64; GROUP]) -> u64) {
        let words = self.expanded.each_ref().map(|hash| hash.as_chunks::<8>().0);
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            *lane = combine(*lane, words.map(|words| u64::from_le_bytes(words[index])));
        }
    }

    /// Adds another sum.
    pub(super) fn merge(&mut self, other: &Self) {
        for (lane, addend) in self.lanes.iter_mut().zip(other.lanes.iter()) {
            *lane = lane.wrapping_add(*addend);
        }
    }

    /// Reads what [`to_bytes`](Self::to_bytes) spelled; `None` when it is none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<8>() else {
            return None;
        };
        let mut sum = Self::new();
        let words: &[[u8; 8]; LANES] = words.try_into().ok()?;
        for (lane, word) in sum.lanes.iter_mut().zip(words) {
            *lane = u64::from_le_bytes(*word);
        }
        Some(sum)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.lanes
            .iter()
            .flat_map(|lane| lane.to_le_bytes())
            .collect()
    }
}

impl PartialEq for LaneSum {
    fn eq(&self, other: &Self) -> bool {
        self.lanes == other.lanes
    }
}

impl Eq for LaneSum {}

impl std::fmt::Debug for LaneSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneSum").finish_non_exhaustive()
    }
}
