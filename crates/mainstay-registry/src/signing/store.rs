//! Keeping signatures with the versions that they are about. Format: `docs/formats/model-signing.md`.

use mainstay_core::{Actor, Digest, Error, Locator, NodeRef, Result};
use mainstay_repo::{Repo, Step, Transaction, Value, View};
use serde::{Deserialize, Serialize};

use super::bundle::{Bundle, check_size};
use super::check::{self, Verdict, Verification};
use super::key::{SigningKey, VerifyingKey};
use super::manifest::Manifest;
use crate::record::{FORMAT, ModelVersion, decode};
use crate::refs::{self, Family};
use crate::resolve::resolve;

/// The most keys that can have signed one version.
pub const MAX_SIGNATURES: usize = 64;

/// A signature that is kept with a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StoredSignature {
    /// The [fingerprint](VerifyingKey::fingerprint) of the key.
    pub key: Digest,
    /// The digest of the [bundle](Bundle).
    pub bundle: Digest,
    /// The size of the bundle in bytes.
    pub bytes: u64,
}

/// A signature that was made or brought in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Signed {
    /// The version.
    pub model: NodeRef,
    /// The signature.
    #[serde(flatten)]
    pub signature: StoredSignature,
    /// The log entry; `None` when the version had this signature already.
    pub seq: Option<u64>,
}

/// The signatures of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    format: u32,
    /// Sorted by key, each once.
    signatures: Vec<StoredSignature>,
}

impl Signing {
    const KIND: &'static str = "model.signing";

    fn of(view: &View, version: &NodeRef) -> Result<Self> {
        let path = refs::of(version.name(), Family::Signing, version.version())?;
        match refs::value(view, &path)? {
            Some(value) => decode(value, Self::KIND),
            None => Ok(Self {
                format: FORMAT,
                signatures: Vec::new(),
            }),
        }
    }

    fn by(&self, key: Digest) -> Option<&StoredSignature> {
        self.signatures
            .iter()
            .find(|signature| signature.key == key)
    }

    fn with(&self, signature: StoredSignature) -> Result<Self> {
        let mut signatures = self.signatures.clone();
        signatures.retain(|other| other.key != signature.key);
        signatures.push(signature);
        if signatures.len() > MAX_SIGNATURES {
            return Err(Error::invalid(format!(
                "more than {MAX_SIGNATURES} keys have signed the version"
            )));
        }
        signatures.sort_by_key(|signature| signature.key);
        Ok(Self {
            format: FORMAT,
            signatures,
        })
    }

    fn to_value(&self) -> Result<Value> {
        let bundles = self.signatures.iter().map(|signature| signature.bundle);
        Ok(Value::new(Self::KIND, self)?.with_blobs(bundles))
    }
}

/// A version with what signing needs of it.
struct Subject {
    node: NodeRef,
    record: Digest,
    version: ModelVersion,
    signing: Signing,
}

impl Subject {
    fn of(view: &View, locator: &Locator) -> Result<Self> {
        let node = resolve(view, locator)?;
        let value = refs::held(&node.ref_path(), refs::version(view, &node)?)?;
        Ok(Self {
            record: value.record_digest()?,
            version: ModelVersion::from_value(value)?,
            signing: Signing::of(view, &node)?,
            node,
        })
    }
}

/// Lists the signatures of a version, sorted by key; whether they hold,
/// [`verify_signature`](crate::Registry::verify_signature) says.
///
/// # Errors
/// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound): no such version.
pub fn signatures(view: &View, locator: &Locator) -> Result<Vec<StoredSignature>> {
    let version = resolve(view, locator)?;
    Ok(Signing::of(view, &version)?.signatures)
}

pub(crate) async fn sign(
    repo: &Repo,
    locator: &Locator,
    key: &SigningKey,
    actor: Actor,
    reason: String,
) -> Result<Signed> {
    let subject = repo.read(|view| Subject::of(view, locator)).await?;
    let manifest = Manifest::of(&subject.node, subject.record, &subject.version.artifact)?;
    let bundle = Bundle::sign(&manifest, key)?;
    let fingerprint = key.verifying_key().fingerprint();
    keep(repo, subject.node, fingerprint, &bundle, actor, reason).await
}

pub(crate) async fn attach(
    repo: &Repo,
    locator: &Locator,
    bundle: &Bundle,
    key: &VerifyingKey,
    actor: Actor,
    reason: String,
) -> Result<Signed> {
    let subject = repo.read(|view| Subject::of(view, locator)).await?;
    let found = check_version(repo, &subject, bundle, key).await?;
    let why = match found.verdict {
        Verdict::Verified => None,
        Verdict::NotSigned | Verdict::BadSignature => Some("the key did not make this signature"),
        Verdict::OtherFiles => Some("the signature is about other files"),
        Verdict::OtherVersion => Some("the signature is about another version"),
    };
    if let Some(why) = why {
        let error = Error::invalid(why).context("model", &subject.node);
        return Err(match found.faults.first() {
            Some(fault) => error.context("first", &fault.resource),
            None => error,
        });
    }
    keep(repo, subject.node, key.fingerprint(), bundle, actor, reason).await
}

/// Verifies the signature that `key` made of a version.
pub(crate) async fn verify(
    repo: &Repo,
    view: &View,
    locator: &Locator,
    key: &VerifyingKey,
) -> Result<(Verification, Option<Bundle>)> {
    let subject = view.read(|view| Subject::of(view, locator)).await?;
    let Some(signature) = subject.signing.by(key.fingerprint()) else {
        let verdict = Verdict::NotSigned;
        return Ok((Verification::without_manifest(key, verdict), None));
    };
    let bundle = load(repo, signature)
        .await
        .map_err(|error| error.context("model", &subject.node))?;
    let found = check_version(repo, &subject, &bundle, key).await?;
    Ok((found, Some(bundle)))
}

async fn check_version(
    repo: &Repo,
    subject: &Subject,
    bundle: &Bundle,
    key: &VerifyingKey,
) -> Result<Verification> {
    let artifact = &subject.version.artifact;
    check::version(repo, bundle, key, &subject.node, subject.record, artifact).await
}

async fn load(repo: &Repo, signature: &StoredSignature) -> Result<Bundle> {
    let blob = repo.blob(&signature.bundle).await?;
    let blob = blob.ok_or_else(|| Error::corrupt(signature.bundle, "the signature is missing"))?;
    check_size(blob.size())?;
    Bundle::parse(blob.bytes().await?)
}

async fn keep(
    repo: &Repo,
    node: NodeRef,
    key: Digest,
    bundle: &Bundle,
    actor: Actor,
    reason: String,
) -> Result<Signed> {
    let mut session = repo.ingest();
    let stored = session.bytes(bundle.bytes().clone()).await?;
    session.finish().await?;
    let signature = StoredSignature {
        key,
        bundle: stored.digest,
        bytes: stored.size,
    };
    let path = refs::of(node.name(), Family::Signing, node.version())?;
    let build = |view: &View| {
        // The version too: it must still be there when the signature is kept.
        let version = node.ref_path();
        refs::version(view, &node)?;
        let before = Signing::of(view, &node)?;
        let after = before.with(signature.clone())?;
        if after == before {
            return Ok(Step::Done(()));
        }
        let mut transaction = Transaction::new(actor.clone(), reason.clone());
        let expectation = refs::unchanged(view, &version)?;
        transaction.check(version, expectation);
        let expectation = refs::unchanged(view, &path)?;
        transaction.set(path.clone(), after.to_value()?, expectation);
        Ok(Step::Commit(transaction, ()))
    };
    let (committed, ()) = repo.transact(build).await?;
    Ok(Signed {
        model: node,
        signature,
        seq: committed.map(|committed| committed.seq),
    })
}
