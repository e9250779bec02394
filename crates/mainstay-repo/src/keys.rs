//! The keys of what the repository stores.

use mainstay_core::Digest;
use mainstay_store::{Key, Prefix};

/// `<directory>/<seq as 20 digits>`, so that key order is number order.
pub(crate) fn numbered(directory: &str, seq: u64) -> Key {
    trusted(&format!("{directory}/{seq:020}"))
}

/// Reads a [`numbered`] key back; `None` for any other key.
pub(crate) fn number(key: &Key) -> Option<u64> {
    let (_, digits) = key.as_str().rsplit_once('/')?;
    let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// `<directory>/<digest as 64 hex digits>`.
pub(crate) fn addressed(directory: &str, digest: &Digest) -> Key {
    trusted(&format!("{directory}/{}", digest.to_hex()))
}

/// Everything below `directory`.
#[expect(
    clippy::expect_used,
    reason = "literals of this crate, within the rules of keys"
)]
pub(crate) fn below(directory: &str) -> Prefix {
    Prefix::directory(directory).expect("literals of this crate, within the rules of keys")
}

/// A key of literals and digits, within the rules of keys.
#[expect(
    clippy::expect_used,
    reason = "literals of this crate, within the rules of keys"
)]
pub(crate) fn trusted(text: &str) -> Key {
    Key::new(text).expect("literals of this crate, within the rules of keys")
}
