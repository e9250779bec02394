//! The file of a signature: a Sigstore bundle around a DSSE envelope.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{
    STANDARD, STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT,
};
use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result, canon};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;

use super::key::{SigningKey, VerifyingKey};
use super::manifest::Manifest;

/// The largest bundle that is made or read, in bytes: about 75,000 files.
pub const MAX_BUNDLE_BYTES: u64 = 16 << 20;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A signature as a file: what OpenSSF Model Signing calls `model.sig`.
///
/// Nothing in it is to be believed before [`verify`](Self::verify) says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    bytes: Bytes,
    payload: Vec<u8>,
    signature: Vec<u8>,
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Option<PublicKey>,
    #[serde(default, skip_serializing)]
    x509_certificate_chain: Option<IgnoredAny>,
    #[serde(default, skip_serializing)]
    certificate: Option<IgnoredAny>,
    /// The reference implementation asks for the member.
    #[serde(default, skip_deserializing)]
    tlog_entries: [(); 0],
}

#[derive(Serialize, Deserialize)]
struct PublicKey {
    /// Bundles made before 1.1 hold other members instead.
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
struct Signature {
    sig: String,
    #[serde(default)]
    keyid: Option<String>,
}

impl Bundle {
    /// Signs a manifest. The same manifest and key give the same bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the bundle would exceed [`MAX_BUNDLE_BYTES`].
    pub fn sign(manifest: &Manifest, key: &SigningKey) -> Result<Self> {
        let payload = manifest.to_statement()?;
        let signature = key.sign(&pre_authentication_encoding(&payload));
        let hint = key.verifying_key().fingerprint().to_hex();
        let document = Document {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: Material {
                public_key: Some(PublicKey {
                    hint: Some(hint.clone()),
                }),
                x509_certificate_chain: None,
                certificate: None,
                tlog_entries: [],
            },
            dsse_envelope: Envelope {
                payload: STANDARD.encode(&payload),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![Signature {
                    sig: STANDARD.encode(&signature),
                    keyid: Some(String::new()),
                }],
            },
        };
        let bytes = canon::to_vec(&document)?;
        check_size(bytes.len() as u64)?;
        Ok(Self {
            bytes: bytes.into(),
            payload,
            signature,
            hint: Some(hint),
        })
    }

    /// Reads a bundle, without believing it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when it is none or exceeds [`MAX_BUNDLE_BYTES`];
    /// [`ErrorKind::Unsupported`] when it is of another version, or was signed with a certificate
    /// instead of a key.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self> {
        let bytes = bytes.into();
        check_size(bytes.len() as u64)?;
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|error| Error::invalid("not a signature bundle").with_source(error))?;
        if document.media_type != MEDIA_TYPE {
            let why = "a bundle of another kind or version";
            return Err(Error::new(ErrorKind::Unsupported, why)
                .context("media_type", brief(&document.media_type)));
        }
        let material = document.verification_material;
        let Some(key) = material.public_key else {
            let certified = material.x509_certificate_chain.or(material.certificate);
            return Err(match certified {
                Some(_) => Error::new(
                    ErrorKind::Unsupported,
                    "signed with a certificate; signatures with keys can be verified",
                ),
                None => Error::invalid("a bundle that does not say how it was signed"),
            });
        };
        let envelope = document.dsse_envelope;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(Error::invalid("a bundle that signs something else")
                .context("payload_type", brief(&envelope.payload_type)));
        }
        let [signature] = &envelope.signatures[..] else {
            return Err(Error::invalid("a bundle holds exactly one signature"));
        };
        Ok(Self {
            payload: decode("payload", &envelope.payload)?,
            signature: decode("sig", &signature.sig)?,
            hint: key.hint,
            bytes,
        })
    }

    /// Reads a bundle from a file; see [`parse`](Self::parse).
    ///
    /// # Errors
    /// As [`parse`](Self::parse); [`ErrorKind::NotFound`] when there is no such file.
    pub async fn read(path: &Path) -> Result<Self> {
        let read = async {
            let file = tokio::fs::File::open(path).await?;
            let mut bytes = Vec::new();
            file.take(MAX_BUNDLE_BYTES + 1)
                .read_to_end(&mut bytes)
                .await?;
            Self::parse(bytes)
        };
        let bundle: Result<Self> = read.await;
        bundle.map_err(|error| {
            error
                .operation("read signature")
                .context("path", path.display())
        })
    }

    /// Returns the bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns what was signed, or `None` when the key did not make the signature.
    ///
    /// The hint in the bundle says nothing here: only the signature counts.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the key signed something that is not the files of a model, names one
    /// twice, or contradicts itself; [`ErrorKind::Unsupported`] when they were hashed in a way that is not
    /// known here.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Option<Manifest>> {
        if key.verifies(&pre_authentication_encoding(&self.payload), &self.signature) {
            Manifest::from_statement(&self.payload).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Reports whether the bundle claims to be signed by the key.
    pub(super) fn names(&self, key: &VerifyingKey) -> bool {
        self.hint
            .as_ref()
            .is_some_and(|hint| *hint == key.fingerprint().to_hex())
    }
}

/// What is signed, so that a payload of one type is never taken for one of another: `PAE` of
/// [DSSE 1.0](https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md).
fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let lengths = (PAYLOAD_TYPE.len(), payload.len());
    let mut encoded = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", lengths.0, lengths.1).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

pub(super) fn check_size(bytes: u64) -> Result<()> {
    if bytes <= MAX_BUNDLE_BYTES {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "a signature of more than {MAX_BUNDLE_BYTES} bytes"
        )))
    }
}

fn decode(what: &'static str, text: &str) -> Result<Vec<u8>> {
    STANDARD_PAD_INDIFFERENT
        .decode(text)
        .or_else(|_| URL_SAFE_PAD_INDIFFERENT.decode(text))
        .map_err(|error| {
            Error::invalid("not base64")
                .context("member", what)
                .with_source(error)
        })
}

/// The beginning of text from somewhere else, for an error.
pub(super) fn brief(text: &str) -> String {
    text.chars()
        .take(100)
        .collect::<String>()
        .escape_debug()
        .to_string()
}
