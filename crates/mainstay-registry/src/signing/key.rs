//! Keys on the elliptic curves that OpenSSF Model Signing names.

use std::fmt;
use std::path::Path;

use mainstay_core::{Digest, Error, ErrorKind, Result};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

/// The largest file that is read as a key, in bytes.
pub const MAX_KEY_BYTES: u64 = 64 << 10;

/// An elliptic curve, with the hash that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Curve {
    /// NIST P-256 (secp256r1) with SHA-256.
    P256,
    /// NIST P-384 (secp384r1) with SHA-384.
    P384,
    /// NIST P-521 (secp521r1) with SHA-512.
    P521,
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        })
    }
}

/// A private key. Overwritten when dropped, and never shown.
pub struct SigningKey {
    secret: Secret,
    public: VerifyingKey,
}

enum Secret {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    public: Public,
    fingerprint: Digest,
}

#[derive(Clone, PartialEq, Eq)]
enum Public {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

impl SigningKey {
    /// Reads a private key in PEM: PKCS #8 (`PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`). What stands
    /// before it, as the parameters that OpenSSL writes, is skipped.
    ///
    /// The text stays the caller's to overwrite.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the key is encrypted, [`ErrorKind::Invalid`] when there is no
    /// private key, or it is not on one of the [curves](Curve). No error shows any of the text.
    pub fn from_pem(text: &str) -> Result<Self> {
        let begin = ["-----BEGIN PRIVATE KEY", "-----BEGIN EC PRIVATE KEY"]
            .iter()
            .find_map(|label| text.find(label));
        let Some(begin) = begin else {
            return Err(if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY") {
                Error::new(ErrorKind::Unsupported, "the private key is encrypted")
            } else {
                Error::invalid("no private key in PEM")
            });
        };
        let key = &text[begin..];
        // The causes are dropped: they say nothing that the message does not, and the text is secret.
        let secret = if let Ok(key) = p256::SecretKey::from_pem(key) {
            Secret::P256(key.into())
        } else if let Ok(key) = p384::SecretKey::from_pem(key) {
            Secret::P384(key.into())
        } else if let Ok(key) = p521::SecretKey::from_pem(key) {
            Secret::P521(key.into())
        } else {
            return Err(not_on_a_curve());
        };
        let public = match &secret {
            Secret::P256(key) => Public::P256(*key.verifying_key()),
            Secret::P384(key) => Public::P384(*key.verifying_key()),
            Secret::P521(key) => Public::P521(*key.verifying_key()),
        };
        Ok(Self {
            public: VerifyingKey::new(public)?,
            secret,
        })
    }

    /// Reads a private key from a file, whose text is overwritten in memory afterwards; see
    /// [`from_pem`](Self::from_pem).
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); [`ErrorKind::NotFound`] when there is no such file.
    pub async fn read(path: &Path) -> Result<Self> {
        read(path, Self::from_pem).await
    }

    /// Returns the public key that goes with it.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a message: ECDSA as DER, deterministic after RFC 6979.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.secret {
            Secret::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Secret::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
            Secret::P521(key) => {
                let signature: p521::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl VerifyingKey {
    /// Reads a public key in PEM (`PUBLIC KEY`).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when it is none, or not on one of the [curves](Curve).
    pub fn from_pem(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.contains("PRIVATE KEY-----") {
            return Err(Error::invalid("a private key, where a public one belongs"));
        }
        let public = if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_pem(text) {
            Public::P256(key)
        } else if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_pem(text) {
            Public::P384(key)
        } else if let Ok(key) = p521::ecdsa::VerifyingKey::from_public_key_pem(text) {
            Public::P521(key)
        } else {
            return Err(not_on_a_curve());
        };
        Self::new(public)
    }

    /// Reads a public key from a file; see [`from_pem`](Self::from_pem).
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); [`ErrorKind::NotFound`] when there is no such file.
    pub async fn read(path: &Path) -> Result<Self> {
        read(path, Self::from_pem).await
    }

    fn new(public: Public) -> Result<Self> {
        let pem = match &public {
            Public::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Public::P384(key) => key.to_public_key_pem(LineEnding::LF),
            Public::P521(key) => key.to_public_key_pem(LineEnding::LF),
        };
        let pem = pem.map_err(|error| {
            Error::invalid("a public key without an encoding").with_source(error)
        })?;
        Ok(Self {
            fingerprint: Digest::of(pem.as_bytes()),
            public,
        })
    }

    /// Returns what names the key: the SHA-256 of its PEM with lines of 64 characters, which is
    /// `sha256sum` of the file that OpenSSL writes.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Returns its curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        match &self.public {
            Public::P256(_) => Curve::P256,
            Public::P384(_) => Curve::P384,
            Public::P521(_) => Curve::P521,
        }
    }

    /// Reports whether the private key that goes with it made this signature of this message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            Public::P256(key) => p256::ecdsa::DerSignature::from_bytes(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Public::P384(key) => p384::ecdsa::DerSignature::from_bytes(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Public::P521(key) => p521::ecdsa::DerSignature::from_bytes(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.curve(), self.fingerprint)
    }
}

fn not_on_a_curve() -> Error {
    Error::invalid("not a key on P-256, P-384 or P-521 in PEM")
}

async fn read<K>(path: &Path, parse: fn(&str) -> Result<K>) -> Result<K> {
    let read = async {
        let file = tokio::fs::File::open(path).await?;
        // As large as it may become, so that growing leaves no copy behind.
        let capacity = usize::try_from(MAX_KEY_BYTES + 1).unwrap_or(usize::MAX);
        let mut text = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(MAX_KEY_BYTES + 1).read_to_end(&mut text).await?;
        if text.len() as u64 > MAX_KEY_BYTES {
            return Err(Error::invalid("too long for a key"));
        }
        let text = std::str::from_utf8(&text).map_err(|_| Error::invalid("not a key in PEM"))?;
        parse(text)
    };
    let key: Result<K> = read.await;
    key.map_err(|error| error.operation("read key").context("path", path.display()))
}

#[cfg(test)]
mod tests;
