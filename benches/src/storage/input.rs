//! What is written: bytes out of a seed.

use bytes::Bytes;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The size in bytes of a small object.
pub(super) const SMALL: usize = 4096;

/// Bytes that do not compress, the same in every run with one seed.
#[derive(Debug)]
pub(super) struct Input {
    bytes: Bytes,
    seed: u64,
}

impl Input {
    /// Makes as many bytes as a pack has.
    pub(super) fn new(seed: u64, pack_bytes: usize) -> Self {
        let mut bytes = vec![0; pack_bytes];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
        let bytes = bytes.into();
        Self { bytes, seed }
    }

    pub(super) fn pack(&self) -> Bytes {
        self.bytes.clone()
    }

    /// Returns the content of the small object with this number; the first objects differ, as many
    /// as there are small objects in a pack.
    pub(super) fn small(&self, number: usize) -> Bytes {
        let at = number % (self.bytes.len() / SMALL) * SMALL;
        self.bytes.slice(at..at + SMALL)
    }

    /// Returns `count` numbers below `below`, each about as often as the others, in a random order.
    pub(super) fn order(&self, count: usize, below: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..below).cycle().take(count).collect();
        numbers.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        numbers
    }
}
