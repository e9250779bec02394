//! Identifiers that must never repeat, from an injected source.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, ErrorKind, Result};

/// 128 random bits that mark one write, so that a writer recognizes its own record after a lost answer.
///
/// Printed as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WriteId([u8; 16]);

impl WriteId {
    /// Wraps 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex::encode(&self.0))
    }
}

impl fmt::Debug for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for WriteId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        crate::hex::decode(text)
            .map(Self)
            .ok_or_else(|| Error::invalid("a write id is 32 lower-case hex digits"))
    }
}

impl TryFrom<String> for WriteId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<WriteId> for String {
    fn from(id: WriteId) -> Self {
        id.to_string()
    }
}

/// Makes [`WriteId`]s.
///
/// # How to implement
/// Two calls, in any process, must not return the same id.
pub trait IdSource: fmt::Debug + Send + Sync {
    /// Returns a fresh id.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the operating system gives no randomness.
    fn write_id(&self) -> Result<WriteId>;
}

/// Ids from the operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn write_id(&self) -> Result<WriteId> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                "no random numbers from the operating system",
            )
            .with_source(error)
        })?;
        Ok(WriteId(bytes))
    }
}

/// Ids that repeat with their seed, for tests and reproducible runs.
///
/// Two sources with one seed give the same ids, so give each writer of one repository its own seed.
#[derive(Debug)]
pub struct SeededIds {
    seed: u64,
    next: AtomicU64,
}

impl SeededIds {
    /// Creates a source.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            next: AtomicU64::new(0),
        }
    }
}

impl IdSource for SeededIds {
    fn write_id(&self) -> Result<WriteId> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let mut input = [0; 16];
        input[..8].copy_from_slice(&self.seed.to_le_bytes());
        input[8..].copy_from_slice(&n.to_le_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Digest::of(&input).as_bytes()[..16]);
        Ok(WriteId(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeded_ids_repeat_with_the_seed_only() {
        let ids = |seed| {
            let source = SeededIds::new(seed);
            [source.write_id().unwrap(), source.write_id().unwrap()]
        };
        assert_eq!(ids(1), ids(1));
        let [a, b] = ids(1);
        assert_ne!(a, b);
        assert_ne!(ids(1), ids(2));
    }

    #[test]
    fn ids_round_trip_as_text() {
        let id = RandomIds.write_id().unwrap();
        assert_eq!(id.to_string().parse::<WriteId>().unwrap(), id);
        assert!("xyz".parse::<WriteId>().is_err());
    }
}
