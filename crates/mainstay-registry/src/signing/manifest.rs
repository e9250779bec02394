//! What a signature is about: the files of a model, as an in-toto statement.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Error, ErrorKind, FilePath, NodeRef, Result, canon};
use serde::{Deserialize, Serialize};

use super::bundle::brief;
use super::hashing::{Algorithm, Hash, Scheme};
use crate::artifact::Artifact;

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";

/// What a model's directory may hold beside the model, by the specification.
const ALWAYS_IGNORED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// The files that a signature is about.
///
/// One that was read comes from [`Bundle::verify`](super::Bundle::verify) only, so that nobody
/// believes what is not signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    name: String,
    version: Option<SignedVersion>,
    scheme: Scheme,
    ignored: Vec<String>,
    resources: BTreeMap<String, Hash>,
}

/// The version that a signature names: Mainstay signs the record with the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SignedVersion {
    /// The version.
    #[serde(rename = "mainstay.version")]
    pub node: NodeRef,
    /// The digest of its record.
    #[serde(rename = "mainstay.record")]
    pub record: Digest,
}

#[derive(Serialize, Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: SubjectDigest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct SubjectDigest {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Predicate {
    resources: Vec<Resource>,
    serialization: Serialization,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    digest: String,
    algorithm: String,
}

#[derive(Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    /// A whole number, though the reference implementation writes `4.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard_size: Option<serde_json::Number>,
    allow_symlinks: bool,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

impl Manifest {
    /// Lists the files of an artifact, by the digests that it has: no file is read.
    ///
    /// Files at `.git`, `.gitattributes`, `.github` and `.gitignore` are left out, as the
    /// specification asks.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when no file is left.
    pub fn of(node: &NodeRef, record: Digest, artifact: &Artifact) -> Result<Self> {
        let ignored: Vec<String> = ALWAYS_IGNORED.map(str::to_owned).into();
        let resources: BTreeMap<String, Hash> = artifact
            .files
            .iter()
            .filter(|file| !lies_at(&ignored, file.path.as_str()))
            .map(|file| (file.path.to_string(), *file.digest.as_bytes()))
            .collect();
        if resources.is_empty() {
            return Err(Error::invalid("no file to sign").context("model", node));
        }
        Ok(Self {
            name: node.name().to_string(),
            version: Some(SignedVersion {
                node: node.clone(),
                record,
            }),
            scheme: Scheme::default(),
            ignored,
            resources,
        })
    }

    /// Returns the name that the signer gave the model; it decides nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version that was signed; `None` when another program made the signature.
    #[must_use]
    pub fn version(&self) -> Option<&SignedVersion> {
        self.version.as_ref()
    }

    /// Returns how its files were hashed.
    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns its files, or the parts of files, with their hashes.
    pub(super) fn resources(&self) -> &BTreeMap<String, Hash> {
        &self.resources
    }

    /// Reports whether the signer left out what lies at a path.
    pub(super) fn ignores(&self, path: &FilePath) -> bool {
        lies_at(&self.ignored, path.as_str())
    }

    /// Writes the in-toto statement that is signed, in canonical JSON.
    pub(super) fn to_statement(&self) -> Result<Vec<u8>> {
        let algorithm = self.scheme.algorithm.as_str();
        let resource = |(name, hash): (&String, &Hash)| Resource {
            name: name.clone(),
            digest: Digest::from_bytes(*hash).to_hex(),
            algorithm: algorithm.to_owned(),
        };
        let (method, shard_size) = match self.scheme.shard_bytes {
            None => ("files", None),
            Some(bytes) => ("shards", Some(bytes.get().into())),
        };
        let annotations = self.version.as_ref().map(serde_json::to_value).transpose();
        let statement = Statement {
            kind: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject {
                name: self.name.clone(),
                digest: SubjectDigest {
                    sha256: root(self.resources.values()).to_hex(),
                },
                annotations: annotations.map_err(not_json)?,
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                resources: self.resources.iter().map(resource).collect(),
                serialization: Serialization {
                    method: method.to_owned(),
                    hash_type: algorithm.to_owned(),
                    shard_size,
                    allow_symlinks: false,
                    ignore_paths: self.ignored.clone(),
                },
            },
        };
        canon::to_vec(&statement)
    }

    /// Reads a statement whose signature has been verified.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when it is not about the files of a model, names one twice, or contradicts
    /// itself; [`ErrorKind::Unsupported`] when they were hashed in a way that is not known here.
    pub(super) fn from_statement(payload: &[u8]) -> Result<Self> {
        let statement: Statement = serde_json::from_slice(payload).map_err(not_json)?;
        for (member, found, expected) in [
            ("_type", &statement.kind, STATEMENT_TYPE),
            ("predicateType", &statement.predicate_type, PREDICATE_TYPE),
        ] {
            if found != expected {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("signed is not a model of OpenSSF Model Signing 1.0: {member}"),
                )
                .context("found", brief(found)));
            }
        }
        let Ok([subject]) = <[Subject; 1]>::try_from(statement.subject) else {
            return Err(Error::invalid(
                "a statement about one model has one subject",
            ));
        };
        let predicate = statement.predicate;
        let scheme = scheme(&predicate.serialization)?;
        let mut hashes = Vec::with_capacity(predicate.resources.len());
        let mut resources = BTreeMap::new();
        for resource in predicate.resources {
            scheme.check_algorithm(&resource.algorithm)?;
            let hash = hash(&resource.digest)?;
            hashes.push(hash);
            if resources.contains_key(&resource.name) {
                return Err(Error::invalid("a file is signed twice")
                    .context("resource", brief(&resource.name)));
            }
            resources.insert(resource.name, hash);
        }
        if resources.is_empty() {
            return Err(Error::invalid("a statement about no file"));
        }
        // In the order that was signed: implementations do not agree on one.
        if root(&hashes).to_hex() != subject.digest.sha256 {
            return Err(Error::invalid(
                "the digest of the model is not that of its files",
            ));
        }
        Ok(Self {
            version: subject.annotations.as_ref().and_then(signed_version),
            name: subject.name,
            scheme,
            ignored: ignored(&predicate.serialization.ignore_paths),
            resources,
        })
    }
}

/// Reads our annotations; those of others are theirs.
fn signed_version(annotations: &serde_json::Value) -> Option<SignedVersion> {
    SignedVersion::deserialize(annotations).ok()
}

fn scheme(serialization: &Serialization) -> Result<Scheme> {
    let unsupported = |why: &str, found: &str| {
        Err(Error::new(ErrorKind::Unsupported, why).context("found", brief(found)))
    };
    let Some(algorithm) = Algorithm::from_name(&serialization.hash_type) else {
        return unsupported("files hashed in another way", &serialization.hash_type);
    };
    let shard_bytes = match (&serialization.method[..], &serialization.shard_size) {
        ("files", None) => None,
        ("shards", Some(size)) => match whole(size).and_then(std::num::NonZeroU64::new) {
            Some(size) => Some(size),
            None => return Err(Error::invalid("the size of a shard is a positive number")),
        },
        ("files" | "shards", _) => {
            return Err(Error::invalid("shards have a size, and files have none"));
        }
        (other, _) => return unsupported("files listed in another way", other),
    };
    Ok(Scheme {
        algorithm,
        shard_bytes,
    })
}

/// Reads `4` and `4.0`.
fn whole(number: &serde_json::Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let text = number.as_f64().filter(|n| *n < 9e15)?.to_string();
        text.parse().ok()
    })
}

fn hash(hex: &str) -> Result<Hash> {
    let digest: Result<Digest> = format!("sha256:{hex}").parse();
    let digest = digest.map_err(|_| {
        Error::invalid("a hash is 64 lower-case hex digits").context("digest", brief(hex))
    })?;
    Ok(*digest.as_bytes())
}

fn root<'h>(hashes: impl IntoIterator<Item = &'h Hash>) -> Digest {
    let mut hasher = mainstay_core::Hasher::new();
    for hash in hashes {
        hasher.update(hash);
    }
    hasher.finish()
}

/// Returns the paths that are left out, in one spelling.
fn ignored(paths: &[String]) -> Vec<String> {
    let spelled = paths.iter().map(|path| {
        let path = path.strip_prefix("./").unwrap_or(path);
        path.trim_end_matches('/').to_owned()
    });
    let mut ignored: Vec<String> = ALWAYS_IGNORED.map(str::to_owned).into();
    ignored.extend(spelled);
    ignored.sort_unstable();
    ignored.dedup();
    ignored
}

/// Reports whether a path is one of `places`, or lies below one.
fn lies_at(places: &[String], path: &str) -> bool {
    let ends = path.match_indices('/').map(|(at, _)| at);
    ends.chain([path.len()])
        .any(|end| places.iter().any(|place| *place == path[..end]))
}

fn not_json(cause: serde_json::Error) -> Error {
    Error::invalid("not the statement of a signed model").with_source(cause)
}

#[cfg(test)]
mod tests;
