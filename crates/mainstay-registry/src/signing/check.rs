//! Comparing the files of a model with those that were signed.

use std::collections::BTreeMap;
use std::path::Path;

use mainstay_core::{Digest, Error, ErrorKind, FilePath, NodeRef, Result};
use mainstay_repo::Repo;
use serde::Serialize;

use super::bundle::Bundle;
use super::hashing::Hash;
use super::key::VerifyingKey;
use super::manifest::{Manifest, SignedVersion};
use crate::artifact::{Artifact, FileSpec, files_at};

/// What verifying a signature found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The [fingerprint](VerifyingKey::fingerprint) of the key.
    pub key: Digest,
    /// What was found.
    pub verdict: Verdict,
    /// The files that differ, in order of their names; empty unless the verdict is about them.
    pub faults: Vec<Fault>,
    /// The version that the signer signed; `None` when another program made the signature.
    pub version: Option<SignedVersion>,
    /// How many files, or parts of files, were signed.
    pub signed: u64,
}

/// What verifying a signature found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// The holder of the key signed exactly these files, and this version where the signature names
    /// one.
    Verified,
    /// No signature claims to be of this key.
    NotSigned,
    /// A signature claims to be of this key, and is not.
    BadSignature,
    /// The holder of the key signed other files.
    OtherFiles,
    /// The holder of the key signed another version, or another record of this one.
    OtherVersion,
}

/// A file, or a part of one, that is not what was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fault {
    /// Its name in the signature: a path, for shards followed by `:start:end`.
    pub resource: String,
    /// What is wrong.
    pub fault: FaultKind,
}

/// How a file differs from what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// It was signed, and is not there.
    Missing,
    /// It has other bytes.
    Altered,
    /// It is there, and was not signed.
    Unsigned,
}

impl Verification {
    /// Reports whether the verdict is [`Verdict::Verified`].
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verdict == Verdict::Verified
    }

    pub(super) fn without_manifest(key: &VerifyingKey, verdict: Verdict) -> Self {
        Self {
            key: key.fingerprint(),
            verdict,
            faults: Vec::new(),
            version: None,
            signed: 0,
        }
    }

    fn new(key: &VerifyingKey, manifest: &Manifest, verdict: Verdict, faults: Vec<Fault>) -> Self {
        Self {
            key: key.fingerprint(),
            verdict,
            faults,
            version: manifest.version().cloned(),
            signed: manifest.resources().len() as u64,
        }
    }
}

/// Verifies a bundle against a version in the repository.
pub(super) async fn version(
    repo: &Repo,
    bundle: &Bundle,
    key: &VerifyingKey,
    node: &NodeRef,
    record: Digest,
    artifact: &Artifact,
) -> Result<Verification> {
    let Some(manifest) = bundle.verify(key)? else {
        return Ok(Verification::without_manifest(key, Verdict::BadSignature));
    };
    if let Some(signed) = manifest.version()
        && (signed.node != *node || signed.record != record)
    {
        let verdict = Verdict::OtherVersion;
        return Ok(Verification::new(key, &manifest, verdict, Vec::new()));
    }
    let mut found = BTreeMap::new();
    for file in &artifact.files {
        if manifest.ignores(&file.path) {
            continue;
        }
        if manifest.scheme().is_ours() {
            found.insert(file.path.to_string(), *file.digest.as_bytes());
        } else {
            let blob = repo.blob(&file.digest).await?;
            let blob =
                blob.ok_or_else(|| Error::corrupt(file.digest, "the model's bytes are missing"))?;
            found.extend(manifest.scheme().hash_blob(&file.path, &blob).await?);
        }
    }
    Ok(conclude(key, &manifest, found))
}

/// Verifies a bundle against a model on disk: a directory, or one file.
///
/// What the signer left out, the bundle itself, and nothing else may lie beside the signed files. The
/// files are read and hashed. Symbolic links are refused, whatever the signer allowed.
///
/// # Errors
/// * [`ErrorKind::NotFound`]: there is nothing at `path`.
/// * [`ErrorKind::Invalid`]: there is no file, or there is a link or a device; or the key signed
///   something that is not a model.
/// * [`ErrorKind::Unsupported`]: the files were signed by hashes that are not known here: SHA-256 and
///   BLAKE3 are, of whole files and of shards.
///
/// ```
/// use mainstay_registry::signing::{Bundle, Verdict, VerifyingKey, verify_files};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// // Signed by the reference implementation, `model_signing sign key`.
/// let fixture = std::path::Path::new("tests/fixtures/model-signing");
/// let bundle = fixture.join("files-p256.sig");
/// let key = VerifyingKey::read(&fixture.join("p256.pub.pem")).await?;
/// let found = verify_files(&fixture.join("model"), &bundle, &key).await?;
/// assert_eq!(found.verdict, Verdict::Verified);
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
pub async fn verify_files(path: &Path, bundle: &Path, key: &VerifyingKey) -> Result<Verification> {
    let checked = async {
        let beside = inside(path, bundle).await?;
        let bundle = Bundle::read(bundle).await?;
        let Some(manifest) = bundle.verify(key)? else {
            let verdict = if bundle.names(key) {
                Verdict::BadSignature
            } else {
                Verdict::NotSigned
            };
            return Ok(Verification::without_manifest(key, verdict));
        };
        let files: Vec<_> = files_at(path)
            .await?
            .into_iter()
            .filter_map(FileSpec::into_disk)
            .filter(|(path, _)| !manifest.ignores(path) && Some(path) != beside.as_ref())
            .collect();
        let scheme = manifest.scheme();
        let hash = move || -> Result<_> {
            let mut found = BTreeMap::new();
            for (path, disk) in &files {
                found.extend(scheme.hash_file(path, disk)?);
            }
            Ok(found)
        };
        let found = tokio::task::spawn_blocking(hash).await.map_err(|error| {
            Error::new(ErrorKind::Internal, "hashing ended early").with_source(error)
        })??;
        Ok(conclude(key, &manifest, found))
    };
    let checked: Result<Verification> = checked.await;
    checked.map_err(|error| error.operation("verify model files"))
}

/// Returns the path of the bundle in the model's directory, when it lies there.
async fn inside(directory: &Path, bundle: &Path) -> Result<Option<FilePath>> {
    let whole = async |path: &Path| {
        let found = tokio::fs::canonicalize(path).await;
        found.map_err(|error| Error::from(error).context("path", path.display()))
    };
    let (directory, bundle) = (whole(directory).await?, whole(bundle).await?);
    let path = bundle.strip_prefix(&directory).ok().and_then(Path::to_str);
    // Other separators are the platform's, not the signature's.
    Ok(path.and_then(|path| path.replace(std::path::MAIN_SEPARATOR, "/").parse().ok()))
}

fn conclude(
    key: &VerifyingKey,
    manifest: &Manifest,
    mut found: BTreeMap<String, Hash>,
) -> Verification {
    let signed = manifest.resources();
    // What the reference implementation calls a model of one file.
    if signed.len() == 1 && signed.contains_key(".") && found.len() == 1 {
        found = found.into_values().map(|hash| (".".into(), hash)).collect();
    }
    let faults = differences(signed, &found);
    let verdict = if faults.is_empty() {
        Verdict::Verified
    } else {
        Verdict::OtherFiles
    };
    Verification::new(key, manifest, verdict, faults)
}

fn differences(signed: &BTreeMap<String, Hash>, found: &BTreeMap<String, Hash>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let mut fault = |resource: &String, fault| {
        faults.push(Fault {
            resource: resource.clone(),
            fault,
        });
    };
    for (name, hash) in signed {
        match found.get(name) {
            Some(other) if other == hash => {}
            Some(_) => fault(name, FaultKind::Altered),
            None => fault(name, FaultKind::Missing),
        }
    }
    for name in found.keys().filter(|name| !signed.contains_key(*name)) {
        fault(name, FaultKind::Unsigned);
    }
    faults.sort_by(|a, b| a.resource.cmp(&b.resource));
    faults
}
