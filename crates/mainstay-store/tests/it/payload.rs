//! What tests write, and how.

use std::path::Path;

use bytes::Bytes;
use mainstay_store::{Durability, Key, LocalOptions, LocalStorage};

pub(crate) async fn open(root: &Path, durability: Durability) -> LocalStorage {
    let options = LocalOptions::default().with_durability(durability);
    LocalStorage::open(root, options).await.unwrap()
}

/// Every other writer commits in batches.
pub(crate) fn durability_of(writer: usize) -> Durability {
    [Durability::Strict, Durability::Batch][writer % 2]
}

/// Bytes that name their key and are of one piece.
pub(crate) fn self_checking(key: &Key, len: usize) -> Bytes {
    let line = format!("{key} {len}\n");
    line.bytes().cycle().take(len).collect()
}

pub(crate) fn is_whole(key: &Key, bytes: &Bytes) -> bool {
    *bytes == self_checking(key, bytes.len()) && bytes.len() >= 1000
}
