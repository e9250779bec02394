//! Whether the same thing is on two sides.

use std::collections::BTreeMap;

use mainstay_core::NodeRef;
use serde::Serialize;

/// How many examples of an overlap are told.
const MAX_SAMPLES: usize = 10;

/// What versions that should be apart have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeakageReport {
    /// Whether two of them share a key or a row.
    pub leaks: bool,
    /// The pairs that share keys; empty without key columns.
    pub keys: Vec<Overlap>,
    /// The pairs that share whole rows.
    pub rows: Vec<Overlap>,
}

/// What two versions have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Overlap {
    /// One version.
    pub a: NodeRef,
    /// The other.
    pub b: NodeRef,
    /// How many different keys or rows both have.
    pub distinct: u64,
    /// How many rows of `a` have one of them.
    pub rows_a: u64,
    /// How many rows of `b` have one of them.
    pub rows_b: u64,
    /// At most 10 of them, as text by column; nulls are absent.
    pub samples: Vec<BTreeMap<String, String>>,
}

/// Names a key or a row.
pub(crate) type Hash = [u8; 32];

/// The hashes of a part of all rows, and which version each was seen in.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<(Hash, usize)>);

/// Two versions by number, the lower first.
type Pair = (usize, usize);

/// What a pair has in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) distinct: u64,
    pub(crate) rows: (u64, u64),
    /// The first few by hash.
    pub(crate) samples: Vec<Hash>,
}

impl Seen {
    pub(crate) fn add(&mut self, hash: Hash, version: usize) {
        self.0.push((hash, version));
    }

    /// Adds to `found` what versions have in common.
    pub(crate) fn compare(mut self, found: &mut BTreeMap<Pair, Shared>) {
        self.0.sort_unstable();
        for group in self.0.chunk_by(|(a, _), (b, _)| a == b) {
            let sides: Vec<(usize, u64)> = group
                .chunk_by(|(_, a), (_, b)| a == b)
                .map(|side| (side[0].1, side.len() as u64))
                .collect();
            for (index, &(a, rows_a)) in sides.iter().enumerate() {
                for &(b, rows_b) in &sides[index + 1..] {
                    let shared = found.entry((a, b)).or_default();
                    shared.distinct += 1;
                    shared.rows.0 += rows_a;
                    shared.rows.1 += rows_b;
                    if shared.samples.len() < MAX_SAMPLES {
                        shared.samples.push(group[0].0);
                    }
                }
            }
        }
    }
}
