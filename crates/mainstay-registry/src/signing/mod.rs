//! Signatures of models: [OpenSSF Model Signing](https://github.com/ossf/model-signing-spec) 1.0 with
//! keys, as the Python package `model_signing` makes and verifies them.
//!
//! A signature says that the holder of a key signed these files. It is a [Sigstore bundle](Bundle) around a
//! DSSE envelope around an in-toto statement that lists every file with its hash. Mainstay has the SHA-256
//! of every file, so signing a version reads none of them. It also signs which version this is and the
//! digest of its record, in the annotations of the statement's subject, which others ignore: a signature of
//! one version is none of another.
//!
//! ```
//! # use std::sync::Arc;
//! # use mainstay_core::{Actor, Locator};
//! # use mainstay_registry::{FileSpec, ModelSpec, Registry};
//! # use mainstay_repo::{Repo, RepoOptions};
//! # use mainstay_store::MemoryStorage;
//! use mainstay_registry::signing::{SigningKey, Verdict};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! # let registry = Registry::new(repo.clone());
//! # let ada = Actor::new("ada")?;
//! # let spec = ModelSpec::new("fraud".parse()?, ada.clone(), "train")
//! #     .with_file(FileSpec::from_bytes("model.bin".parse()?, "weights"));
//! # registry.register(spec).await?;
//! // openssl ecparam -name prime256v1 -genkey -noout -out key.pem
//! # let path = std::path::Path::new("tests/fixtures/model-signing/p256.key.pem");
//! let key = SigningKey::read(path).await?;
//! let fraud: Locator = "fraud@1.0.0".parse()?;
//! registry.sign(&fraud, &key, ada, "released").await?;
//!
//! let view = repo.view().await?;
//! let (found, bundle) = registry.verify_signature(&view, &fraud, key.verifying_key()).await?;
//! assert_eq!(found.verdict, Verdict::Verified);
//! // What goes beside the files as `model.sig`.
//! assert!(bundle.is_some_and(|bundle| bundle.bytes().starts_with(b"{")));
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! | signed | verified |
//! |---|---|
//! | ECDSA on P-256, P-384, P-521, deterministic (RFC 6979) | the same |
//! | whole files by SHA-256 | whole files and shards, by SHA-256 and BLAKE3 |
//!
//! Not supported, and refused as such: certificates, keyless signatures of Sigstore, BLAKE2b, encrypted
//! private keys, and bundles that the package made before 1.0.

mod bundle;
mod check;
mod hashing;
mod key;
mod manifest;
mod store;

pub use bundle::{Bundle, MAX_BUNDLE_BYTES};
pub use check::{Fault, FaultKind, Verdict, Verification, verify_files};
pub use key::{Curve, MAX_KEY_BYTES, SigningKey, VerifyingKey};
pub use manifest::{Manifest, SignedVersion};
pub use store::{MAX_SIGNATURES, Signed, StoredSignature, signatures};

pub(crate) use store::{attach, sign, verify};
