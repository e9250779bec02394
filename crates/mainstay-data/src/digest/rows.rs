//! The digest of a table's rows in any order: a sum of row hashes modulo 2²⁵⁶.
//!
//! A sum, unlike an exclusive or, keeps repeated rows apart. It tells tables apart that differ by
//! accident; who can choose rows freely could construct two with one sum (Wagner, *A generalized
//! birthday problem*, CRYPTO 2002), which is why the ordered digest, not this one, is the identity.

use super::stream::ByteStream;
use crate::slots::{Slots, write_cell};

const CONTEXT: &str = "mainstay table-digest v1 row";

/// Sums the hashes of rows.
#[derive(Debug)]
pub(super) struct RowsHasher {
    row: ByteStream,
    sum: [u64; 4],
}

impl RowsHasher {
    pub(super) fn new() -> Self {
        Self {
            row: ByteStream::with_hasher(blake3::Hasher::new_derive_key(CONTEXT)),
            sum: [0; 4],
        }
    }

    /// Adds the first `rows` rows of `columns`, which come in the order that is hashed.
    pub(super) fn update(&mut self, columns: &[&dyn Slots], rows: usize) {
        for row in 0..rows {
            for column in columns {
                write_cell(*column, row, &mut self.row);
            }
            let hash = self.row.take();
            self.add(&hash);
        }
    }

    /// Returns the sum as a little-endian number of 256 bits.
    pub(super) fn finish(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (target, limb) in bytes.chunks_exact_mut(8).zip(self.sum) {
            target.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    fn add(&mut self, hash: &[u8; 32]) {
        let mut carry = false;
        for (limb, bytes) in self.sum.iter_mut().zip(hash.chunks_exact(8)) {
            let mut addend = [0; 8];
            addend.copy_from_slice(bytes);
            (*limb, carry) = limb.carrying_add(u64::from_le_bytes(addend), carry);
        }
    }
}
