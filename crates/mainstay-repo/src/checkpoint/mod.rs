//! Checkpoints: the folded state at one entry, so that opening does not read the whole log.
//!
//! A checkpoint can always be made again from the log, and the same entry always gives the same
//! bytes, so racing writers do no harm and a damaged one is passed over.

mod background;
mod find;
pub(crate) mod item;
pub(crate) mod link;
pub(crate) mod load;
pub(crate) mod rebuild;
pub(crate) mod recut;
pub(crate) mod root;
pub(crate) mod shard;
pub(crate) mod swept;
pub(crate) mod thin;
mod write;

pub(crate) use background::{Background, committed, followed, work};
pub(crate) use find::{newest, newest_at_most, numbers_after};

use mainstay_core::Digest;
use mainstay_store::Key;

use crate::keys;

pub(crate) const ROOTS: &str = "checkpoint";
pub(crate) const SHARDS: &str = "shard";

/// The key of the root of the checkpoint at entry `seq`.
pub(crate) fn root_key(seq: u64) -> Key {
    keys::numbered(ROOTS, seq)
}

/// The key of a shard.
pub(crate) fn shard_key(digest: &Digest) -> Key {
    keys::addressed(SHARDS, digest)
}

#[cfg(test)]
mod tests;
