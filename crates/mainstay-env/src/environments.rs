//! The environments of a repository.

use mainstay_core::{
    Actor, Digest, Error, Locator, Name, NodeKind, NodeRef, Result, Selector, Timestamp,
};
use mainstay_repo::{Expectation, RefState, Repo, Series, Step, Transaction, Value, View};
use serde::{Deserialize, Serialize};

use crate::EnvManifest;

/// The kind of an environment version's value.
const KIND: &str = "env.manifest";

/// The format this crate writes, and the newest it reads.
const FORMAT: u64 = 1;

/// The environments of a repository: versions `env/<name>/version/<n>` from 1.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mainstay_core::Error> {
/// use std::sync::Arc;
///
/// use mainstay_core::Actor;
/// use mainstay_env::{Capture, Environments};
/// use mainstay_repo::{Repo, RepoOptions};
/// use mainstay_store::MemoryStorage;
///
/// let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
/// let environments = Environments::new(repo);
///
/// let manifest = Capture::new().run();
/// let name = "training".parse()?;
/// let ada = Actor::new("ada")?;
/// let recorded = environments.record(&name, &manifest, ada, "before the run").await?;
/// assert_eq!(recorded.node.to_string(), "env:training@1");
///
/// let stored = environments.get(&"training@latest".parse()?).await?;
/// assert_eq!(stored.manifest, manifest);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Environments {
    repo: Repo,
}

/// What recording did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The version that holds the environment.
    pub node: NodeRef,
    /// The digest of the identity.
    pub digest: Digest,
    /// Whether the version is new; `false` when the latest version had this identity already.
    pub created: bool,
}

/// One recorded environment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvVersion {
    /// Which version.
    pub node: NodeRef,
    /// The digest of the identity: what `sha256:…` selects.
    pub digest: Digest,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The environment.
    pub manifest: EnvManifest,
}

/// One environment of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvSummary {
    /// Its name.
    pub name: Name,
    /// The version recorded last.
    pub latest: NodeRef,
    /// When that was.
    pub recorded_at: Timestamp,
    /// How many versions there are.
    pub versions: usize,
}

/// The stored record; see `docs/formats/environment.md`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u64,
    digest: Digest,
    manifest: EnvManifest,
}

impl Environments {
    /// Creates the handle.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self { repo }
    }

    /// Records an environment as a version of `name`.
    ///
    /// An identity equal to the latest version's is not recorded again: the latest is returned with
    /// `created: false`.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the manifest has no canonical JSON.
    #[tracing::instrument(skip_all, fields(env = %name), err)]
    pub async fn record(
        &self,
        name: &Name,
        manifest: &EnvManifest,
        actor: Actor,
        reason: &str,
    ) -> Result<Recorded> {
        let digest = manifest.digest()?;
        let record = Record {
            format: FORMAT,
            digest,
            manifest: manifest.clone(),
        };
        let value = Value::new(KIND, &record)?;
        let series = series(name);
        let (_, recorded) = self
            .repo
            .transact(|view| {
                let recorded = |node, created| Recorded {
                    node,
                    digest,
                    created,
                };
                match series.latest(view)? {
                    Some((node, state)) if stored_digest(state) == Some(digest) => {
                        Ok(Step::Done(recorded(node, false)))
                    }
                    _ => {
                        let node = series.numbered(series.next_number(view)?);
                        let mut transaction = Transaction::new(actor.clone(), reason);
                        transaction.set(node.ref_path(), value.clone(), Expectation::Absent);
                        Ok(Step::Commit(transaction, recorded(node, true)))
                    }
                }
            })
            .await?;
        Ok(recorded)
    }

    /// Finds a version in the newest view.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    #[tracing::instrument(skip_all, fields(env = %locator), err)]
    pub async fn get(&self, locator: &Locator) -> Result<EnvVersion> {
        self.repo.read(|view| Self::find(view, locator)).await
    }

    /// Finds a version in `view`.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when the record is damaged,
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it.
    pub fn find(view: &View, locator: &Locator) -> Result<EnvVersion> {
        let (node, state) = lookup(view, locator)?;
        let record = decode(state).map_err(|error| error.context("env", &node))?;
        Ok(EnvVersion {
            node,
            digest: record.digest,
            recorded_at: state.time,
            manifest: record.manifest,
        })
    }

    /// Finds which version `locator` means in `view`: a version number, the digest of an identity,
    /// or `latest`.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) naming the environment and the selector; [`Invalid`](mainstay_core::ErrorKind::Invalid) when
    /// the locator is of another kind.
    pub fn resolve(view: &View, locator: &Locator) -> Result<NodeRef> {
        lookup(view, locator).map(|(node, _)| node)
    }

    /// Lists the environments of `view` in name order.
    ///
    /// # Errors
    /// Those of [`View::get`].
    pub fn list(view: &View) -> Result<Vec<EnvSummary>> {
        let mut environments = Vec::new();
        for name in Series::names(view, NodeKind::Env)? {
            let series = series(&name);
            let Some((latest, state)) = series.latest(view)? else {
                continue;
            };
            environments.push(EnvSummary {
                latest,
                recorded_at: state.time,
                versions: series.count(view)?,
                name,
            });
        }
        Ok(environments)
    }
}

fn series(name: &Name) -> Series {
    Series::new(NodeKind::Env, name.clone())
}

fn lookup<'v>(view: &'v View, locator: &Locator) -> Result<(NodeRef, &'v RefState)> {
    if locator.kind.is_some_and(|kind| kind != NodeKind::Env) {
        return Err(Error::invalid("not an environment").context("reference", locator));
    }
    let series = series(&locator.name);
    // People pin an environment by its identity, not by the record around it.
    if let Selector::Digest(digest) = &locator.selector {
        let newest_first = series.versions(view)?.into_iter().rev();
        return newest_first
            .into_iter()
            .find(|(_, state)| stored_digest(state) == Some(*digest))
            .ok_or_else(|| Error::not_found("env", locator));
    }
    series.resolve(view, &locator.selector, &[])
}

fn stored_digest(state: &RefState) -> Option<Digest> {
    let record = &state.value.as_ref()?.record;
    record.get("digest")?.as_str()?.parse().ok()
}

fn decode(state: &RefState) -> Result<Record> {
    let value = state
        .value
        .as_ref()
        .ok_or_else(|| Error::corrupt(KIND, "no record"))?;
    value.check_format(KIND, FORMAT)?;
    let record: Record = value.decode(KIND)?;
    if record.manifest.digest()? != record.digest {
        return Err(Error::corrupt(KIND, "the digest is not the identity's"));
    }
    Ok(record)
}
