//! Digests: SHA-256 for what people see and pin, BLAKE3 for bulk addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// The identity of a file or a record: SHA-256, printed `sha256:<64 lower-case hex digits>`.
///
/// A file's digest is the plain `sha256sum` of its bytes; a record's is the digest of its
/// [canonical JSON](crate::canon).
///
/// ```
/// use mainstay_core::Digest;
///
/// let digest = Digest::of(b"abc");
/// assert!(digest.to_string().starts_with("sha256:ba7816bf"));
/// assert_eq!(digest.to_string().parse::<Digest>()?, digest);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A bulk address: BLAKE3-256, printed `blake3:<64 lower-case hex digits>`.
///
/// Names chunks, packs and per-column value streams. The crates that hash in bulk compute it; this
/// one only carries it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BulkDigest([u8; 32]);

/// Computes a [`Digest`] of bytes that arrive in pieces.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Creates a hasher of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of everything added.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl Digest {
    /// Computes the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

macro_rules! digest_common {
    ($type:ident, $prefix:literal, $what:literal) => {
        impl $type {
            /// Wraps a digest computed elsewhere.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Returns the 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Returns the 64 lower-case hex digits without the algorithm's name.
            #[must_use]
            pub fn to_hex(&self) -> String {
                crate::hex::encode(&self.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.to_hex())
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                text.strip_prefix($prefix)
                    .and_then(crate::hex::decode)
                    .map(Self)
                    .ok_or_else(|| {
                        Error::invalid(concat!(
                            "not a digest: expected ",
                            $prefix,
                            " and 64 lower-case hex digits"
                        ))
                        .context($what, text)
                    })
            }
        }

        impl TryFrom<String> for $type {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(digest: $type) -> Self {
                digest.to_string()
            }
        }
    };
}

digest_common!(Digest, "sha256:", "digest");
digest_common!(BulkDigest, "blake3:", "address");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_plain_sha256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            Digest::of(b"abc").to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let mut hasher = Hasher::new();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), Digest::of(b"abc"));
    }

    #[test]
    fn only_the_one_spelling_parses() {
        let good = Digest::of(b"").to_string();
        assert!(good.parse::<Digest>().is_ok());
        for bad in [
            "",
            "sha256:",
            &good[7..],
            &good.to_uppercase(),
            &good.replace("sha256", "blake3"),
            &format!("{good}0"),
            &format!(" {good}"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }
}
