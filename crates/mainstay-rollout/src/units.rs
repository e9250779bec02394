//! The deployment units of a repository.

use mainstay_core::{Actor, Digest, Error, Locator, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Expectation, Repo, Series, Step, Transaction, View};
use serde::Serialize;

use crate::{Unit, UnitSpec};

/// The deployment units of a repository: versions `unit/<name>/version/<n>`, numbered from 1.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mainstay_core::Error> {
/// # use std::sync::Arc;
/// use mainstay_core::Actor;
/// use mainstay_repo::{Repo, RepoOptions};
/// use mainstay_rollout::{UnitSpec, Units};
/// # use mainstay_store::MemoryStorage;
///
/// let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
/// let units = Units::new(repo);
/// // Code lives outside of the repository, so it needs no registration.
/// let spec = UnitSpec::new("support".parse()?)
///     .with_component("code".parse()?, "code:service@9b1dc0f".parse()?);
/// let created = units.create(spec.clone(), Actor::new("ada")?, "first").await?;
/// assert_eq!(created.node.to_string(), "unit:support@1");
/// // The same content again is the same unit.
/// assert!(!units.create(spec, Actor::new("ada")?, "again").await?.created);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Units {
    repo: Repo,
}

/// What [`Units::create`] returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CreatedUnit {
    /// The unit.
    pub node: NodeRef,
    /// The digest of its record.
    pub digest: Digest,
    /// Whether this call created it; `false` when the latest version had the same content.
    pub created: bool,
}

impl Units {
    /// Creates the handle.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self { repo }
    }

    /// Creates the next version of a unit; content equal to the latest version's is that version.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the spec breaks a rule of
    /// [`UnitSpec`]; [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) naming the slot whose
    /// component does not exist. Code is not looked up: it lives outside of the repository.
    #[tracing::instrument(skip_all, fields(unit = %spec.name), err)]
    pub async fn create(&self, spec: UnitSpec, actor: Actor, reason: &str) -> Result<CreatedUnit> {
        spec.check()
            .map_err(|error| error.operation("create unit"))?;
        let value = spec.value()?;
        let digest = value.record_digest()?;
        let series = series(&spec.name);
        let (_, created) = self
            .repo
            .transact(|view| {
                check_exist(view, &spec)?;
                if let Some((node, state)) = series.latest(view)?
                    && state.value.as_ref() == Some(&value)
                {
                    let created = false;
                    return Ok(Step::Done(CreatedUnit {
                        node,
                        digest,
                        created,
                    }));
                }
                let node = series.numbered(series.next_number(view)?);
                let mut transaction = Transaction::new(actor.clone(), reason);
                transaction.set(node.ref_path(), value.clone(), Expectation::Absent);
                let created = true;
                Ok(Step::Commit(
                    transaction,
                    CreatedUnit {
                        node,
                        digest,
                        created,
                    },
                ))
            })
            .await?;
        Ok(created)
    }

    /// Finds a unit in the newest view.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    #[tracing::instrument(skip_all, fields(unit = %locator), err)]
    pub async fn get(&self, locator: &Locator) -> Result<Unit> {
        self.repo.read(|view| Self::find(view, locator)).await
    }

    /// Finds the unit that `locator` means in `view`: a version number, a record digest or `latest`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) naming the unit;
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the locator is of another kind;
    /// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) or
    /// [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when the record cannot be
    /// read.
    pub fn find(view: &View, locator: &Locator) -> Result<Unit> {
        let node = Self::resolve(view, locator)?;
        Unit::read(view, &node)
    }

    /// Finds which version `locator` means in `view`.
    ///
    /// # Errors
    /// `NotFound` and `Invalid` as [`find`](Self::find).
    pub fn resolve(view: &View, locator: &Locator) -> Result<NodeRef> {
        if locator.kind.is_some_and(|kind| kind != NodeKind::Unit) {
            return Err(Error::invalid("not a deployment unit").context("reference", locator));
        }
        let (node, _) = series(&locator.name).resolve(view, &locator.selector, &[])?;
        Ok(node)
    }

    /// Lists the names of the units in `view`, in order.
    ///
    /// # Errors
    /// Those of [`View::get`].
    pub fn names(view: &View) -> Result<Vec<Name>> {
        Series::names(view, NodeKind::Unit)
    }

    /// Lists the versions of a unit in `view`, oldest first.
    ///
    /// # Errors
    /// As [`find`](Self::find), for any of them.
    pub fn versions(view: &View, name: &Name) -> Result<Vec<Unit>> {
        let versions = series(name).versions(view)?.into_iter();
        versions
            .map(|(node, state)| Unit::decode(node, state))
            .collect()
    }
}

fn series(name: &Name) -> Series {
    Series::new(NodeKind::Unit, name.clone())
}

fn check_exist(view: &View, spec: &UnitSpec) -> Result<()> {
    for (slot, node) in &spec.components {
        if node.kind() != NodeKind::Code && view.get(&node.ref_path())?.is_none() {
            return Err(Error::not_found(node.kind().as_str(), node)
                .operation("create unit")
                .context("slot", slot)
                .context("unit", &spec.name));
        }
    }
    Ok(())
}
