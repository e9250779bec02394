//! Keys and where they come from.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use mainstay_core::{Error, Result};
use zeroize::Zeroizing;

/// Names an [`EncryptionKey`]: 1 to 32 of `A-Z a-z 0-9 . _ -`. Not a secret: it is stored with every
/// object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Box<str>);

impl KeyId {
    pub(super) const MAX_LEN: usize = 32;

    /// Checks `text`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when it breaks the rule above; the
    /// error does not repeat `text`, which might be a key that was put in the wrong place.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self> {
        let text = text.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text))
        } else {
            let why = "a key id is 1 to 32 letters, digits, dots, underscores and hyphens";
            Err(Error::invalid(why).context("length", text.len()))
        }
    }

    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id, filled up with zeros.
    pub(super) fn padded(&self) -> [u8; Self::MAX_LEN] {
        let mut padded = [0; Self::MAX_LEN];
        for (to, from) in padded.iter_mut().zip(self.0.bytes()) {
            *to = from;
        }
        padded
    }

    /// Undoes [`padded`](Self::padded); `None` for anything it does not return.
    pub(super) fn from_padded(padded: &[u8; Self::MAX_LEN]) -> Option<Self> {
        let text = std::str::from_utf8(padded).ok()?;
        Self::new(text.trim_end_matches('\0')).ok()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

/// 256 secret bits. Overwritten when dropped, and never shown.
#[derive(Clone)]
pub struct EncryptionKey(Zeroizing<[u8; 32]>);

impl EncryptionKey {
    /// Takes 32 bytes that nobody can guess: from a secret manager or a random number generator,
    /// not from a password.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionKey").finish_non_exhaustive()
    }
}

/// Where an [`EncryptedStorage`](super::EncryptedStorage) gets its keys.
///
/// # How to implement
/// Each read and write asks once, so remember what a key service answered. An id stands for the same
/// key forever, and keys stay available as long as an object under them is to be read. `Debug` and
/// errors must not show keys.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync {
    /// Returns the key for writing, and its id.
    async fn current(&self) -> Result<(KeyId, EncryptionKey)>;

    /// Returns the key that goes by `id`; `None` when this provider does not have it.
    async fn key(&self, id: &KeyId) -> Result<Option<EncryptionKey>>;
}

/// Keys in memory.
///
/// ```
/// use mainstay_store::{EncryptionKey, KeyId, StaticKeys};
///
/// # let (new, old) = ([1; 32], [2; 32]);
/// // Writes under 2026-11, and still reads what was written under 2025-11.
/// let keys = StaticKeys::new(KeyId::new("2026-11")?, EncryptionKey::from_bytes(new))
///     .with_old(KeyId::new("2025-11")?, EncryptionKey::from_bytes(old));
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StaticKeys {
    current: (KeyId, EncryptionKey),
    old: BTreeMap<KeyId, EncryptionKey>,
}

impl StaticKeys {
    /// Reads and writes under `key`.
    #[must_use]
    pub fn new(id: KeyId, key: EncryptionKey) -> Self {
        Self {
            current: (id, key),
            old: BTreeMap::new(),
        }
    }

    /// Also reads what is under `key`; ignored for the id of the current key.
    #[must_use]
    pub fn with_old(mut self, id: KeyId, key: EncryptionKey) -> Self {
        self.old.insert(id, key);
        self
    }
}

#[async_trait]
impl KeyProvider for StaticKeys {
    async fn current(&self) -> Result<(KeyId, EncryptionKey)> {
        Ok(self.current.clone())
    }

    async fn key(&self, id: &KeyId) -> Result<Option<EncryptionKey>> {
        let (current, key) = &self.current;
        Ok(if id == current {
            Some(key.clone())
        } else {
            self.old.get(id).cloned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_padding_and_nothing_else_is_taken_for_one() {
        for id in ["a", "2026-11", "Key_1.b", &"x".repeat(32)] {
            let id = KeyId::new(id).unwrap();
            assert_eq!(KeyId::from_padded(&id.padded()), Some(id));
        }
        for bad in ["", "a b", "é", "a\0", "a/b", &"x".repeat(33)] {
            let error = KeyId::new(bad).unwrap_err();
            assert!(bad.len() < 2 || !error.to_string().contains(bad), "{error}");
        }
        let mut hole = KeyId::new("a").unwrap().padded();
        hole[2] = b'b';
        for bad in [[0; 32], hole, [0xff; 32]] {
            assert_eq!(KeyId::from_padded(&bad), None);
        }
    }

    #[test]
    fn keys_are_never_shown() {
        let key = EncryptionKey::from_bytes([0xab; 32]);
        let keys = StaticKeys::new(KeyId::new("k").unwrap(), key.clone()).with_old(
            KeyId::new("j").unwrap(),
            EncryptionKey::from_bytes([0xcd; 32]),
        );
        for shown in [
            format!("{key:?}"),
            format!("{keys:?}"),
            format!("{keys:#?}"),
        ] {
            for secret in ["171", "205", "ab", "AB", "cd,", "CD"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
