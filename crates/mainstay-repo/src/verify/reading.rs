//! How scattered lies what is read together.

use std::cmp::Reverse;

use mainstay_core::{Digest, RefPath};
use serde::Serialize;

use crate::blobs::weigh::Weight;

/// The most blobs that are named.
const MOST_NAMED: usize = 5;
const GIB: u128 = 1 << 30;

/// What it takes to read each blob that live refs reach whole, once it is known where it lies.
///
/// Blobs of up to 16 KiB lie beside where they are looked up and do not count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ReadingStats {
    /// How many there are.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many ranged requests to packs bring them.
    pub requests: u64,
    /// How many it would be if each blob lay in one piece: one for each 4 MiB or less.
    pub least_requests: u64,
    /// `requests` for each GiB of `bytes`, rounded up.
    pub requests_per_gib: u64,
    /// Those that take most more requests than they would in one piece, the worst first; at most 5.
    pub worst: Vec<ScatteredBlob>,
}

/// A blob that lies in more pieces than need be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScatteredBlob {
    /// Its SHA-256.
    pub blob: Digest,
    /// One of the refs that reach it.
    #[serde(rename = "ref")]
    pub path: RefPath,
    /// Its size.
    pub bytes: u64,
    /// How many requests bring it.
    pub requests: u64,
    /// How many would if it lay in one piece.
    pub least_requests: u64,
}

impl ScatteredBlob {
    fn rank(&self) -> impl Ord + use<> {
        (Reverse(self.requests - self.least_requests), self.blob)
    }
}

impl ReadingStats {
    /// Adds a blob that a ref reaches.
    pub(super) fn add(&mut self, weight: Weight, path: &RefPath) {
        if weight.batches == 0 {
            return;
        }
        self.blobs += 1;
        self.bytes += weight.bytes;
        self.requests += weight.requests;
        self.least_requests += weight.batches;
        let per_gib = (u128::from(self.requests) * GIB).div_ceil(u128::from(self.bytes).max(1));
        self.requests_per_gib = u64::try_from(per_gib).unwrap_or(u64::MAX);
        if weight.requests > weight.batches {
            self.name(ScatteredBlob {
                blob: weight.digest,
                path: path.clone(),
                bytes: weight.bytes,
                requests: weight.requests,
                least_requests: weight.batches,
            });
        }
    }

    fn name(&mut self, scattered: ScatteredBlob) {
        let rank = scattered.rank();
        let at = self.worst.partition_point(|worse| worse.rank() < rank);
        if at < MOST_NAMED {
            self.worst.insert(at, scattered);
            self.worst.truncate(MOST_NAMED);
        }
    }
}
