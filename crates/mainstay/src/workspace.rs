//! The workspace: one handle a domain.

use std::sync::Arc;

use mainstay_core::{Actor, Error, Locator, Name, NodeKind, NodeRef, RefPath, Result, Selector};
use mainstay_data::Datasets;
use mainstay_env::Environments;
use mainstay_prompt::Prompts;
use mainstay_registry::Registry;
use mainstay_registry::eval::Evaluations;
use mainstay_registry::run::Runs;
use mainstay_repo::{
    RepairOptions, RepairReport, ReplicateOptions, ReplicateReport, Repo, RepoOptions, Value,
    VerifyOptions, VerifyReport, View,
};
use mainstay_rollout::{Rollouts, Units};
use mainstay_store::Storage;

use crate::Location;
use crate::gates::EnvironmentCheck;

/// Everything a production AI system is made of, in one repository.
///
/// Cheap to clone; clones share their caches. Any number of processes may open one workspace and
/// write to it at once.
#[derive(Debug, Clone)]
pub struct Workspace {
    repo: Repo,
    prompts: Prompts,
}

impl Workspace {
    /// Creates a workspace at `url`, or opens the one that is there; see [`Location`] for the URLs.
    ///
    /// # Errors
    /// As [`Location::parse`], [`Location::open`] and [`Repo::create`].
    pub async fn create(url: &str) -> Result<Self> {
        let storage = Location::parse(url)?.open().await?;
        Self::create_on(storage, RepoOptions::default()).await
    }

    /// Opens the workspace at `url`; makes nothing. `mem:` is always a new, empty one.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is none; otherwise as [`create`](Self::create).
    pub async fn open(url: &str) -> Result<Self> {
        let location = Location::parse(url)?;
        if location == Location::Memory {
            return Self::create(url).await;
        }
        location.check_present()?;
        Self::open_on(location.open().await?, RepoOptions::default())
            .await
            .map_err(|error| error.context("workspace", &location))
    }

    /// Creates a workspace on a storage, or opens the one that is there.
    ///
    /// # Errors
    /// As [`Repo::create`].
    pub async fn create_on(storage: Arc<dyn Storage>, options: RepoOptions) -> Result<Self> {
        Ok(Self::from(Repo::create(storage, options).await?))
    }

    /// Opens the workspace on a storage.
    ///
    /// # Errors
    /// As [`Repo::open`].
    pub async fn open_on(storage: Arc<dyn Storage>, options: RepoOptions) -> Result<Self> {
        Ok(Self::from(Repo::open(storage, options).await?))
    }

    /// Returns the repository: log, history, blobs, statistics.
    #[must_use]
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// Waits for what goes on in the background: call it before the process ends, so that checkpoints
    /// which are due do not have to wait for another process. See [`Repo::settle`].
    pub async fn settle(&self) {
        self.repo.settle().await;
    }

    /// Returns the datasets.
    #[must_use]
    pub fn data(&self) -> Datasets {
        Datasets::new(self.repo.clone())
    }

    /// Returns the model registry. Its gates may ask for the check `environment`; those that ask for
    /// `drift` are answered by [`promote`](Self::promote).
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        clippy::expect_used,
        reason = "a lower-case word is a name"
    )]
    pub fn models(&self) -> Registry {
        let environment = "environment".parse().expect("a lower-case word is a name");
        Registry::new(self.repo.clone()).with_check(environment, Arc::new(EnvironmentCheck))
    }

    /// Returns the runs: trainings and evaluations.
    #[must_use]
    pub fn runs(&self) -> Runs {
        Runs::new(self.repo.clone())
    }

    /// Returns the evaluation reports.
    #[must_use]
    pub fn evaluations(&self) -> Evaluations {
        Evaluations::new(self.repo.clone())
    }

    /// Returns the prompts; clones share compiled versions.
    #[must_use]
    pub fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    /// Returns the environments.
    #[must_use]
    pub fn environments(&self) -> Environments {
        Environments::new(self.repo.clone())
    }

    /// Returns the deployment units.
    #[must_use]
    pub fn units(&self) -> Units {
        Units::new(self.repo.clone())
    }

    /// Returns the channels and their rollouts.
    #[must_use]
    pub fn rollouts(&self) -> Rollouts {
        Rollouts::new(self.repo.clone())
    }

    /// Replicates into another workspace what `options` select: to back this one up, to restore one, to
    /// hand a model to another organization. See `docs/guides/backup.md`.
    ///
    /// # Errors
    /// As [`Repo::replicate`].
    pub async fn replicate(
        &self,
        target: &Self,
        options: &ReplicateOptions,
        by: Actor,
    ) -> Result<ReplicateReport> {
        self.repo.replicate(&target.repo, options, by).await
    }

    /// Finds the version that `locator` means, in the newest view.
    ///
    /// # Errors
    /// As [`resolve`].
    pub async fn resolve(&self, locator: &Locator) -> Result<NodeRef> {
        self.repo.read(|view| resolve(view, locator)).await
    }
}

impl From<Repo> for Workspace {
    fn from(repo: Repo) -> Self {
        Self {
            prompts: Prompts::new(repo.clone()),
            repo,
        }
    }
}

/// Finds the version that `locator` means in `view`, by the rules of its kind. A channel, written
/// without a selector, stands for the unit it serves; an agent, written so, for its one version, `1`.
/// Agents and code live outside of the workspace: any is found.
///
/// # Errors
/// [`NotFound`](mainstay_core::ErrorKind::NotFound) naming the thing;
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the locator does not say its kind, or its kind
/// has no such selector.
pub fn resolve(view: &View, locator: &Locator) -> Result<NodeRef> {
    match locator.kind {
        Some(NodeKind::Data) => Datasets::resolve_in(view, locator),
        Some(NodeKind::Model) => mainstay_registry::resolve(view, locator),
        Some(NodeKind::Eval) => mainstay_registry::eval::resolve(view, locator),
        Some(NodeKind::Run) => mainstay_registry::run::resolve(view, locator),
        Some(NodeKind::Prompt) => Prompts::resolve(view, locator),
        Some(NodeKind::Env) => Environments::resolve(view, locator),
        Some(NodeKind::Unit) => Units::resolve(view, locator),
        Some(NodeKind::Channel) => served(view, locator),
        Some(NodeKind::Agent) => agent(locator),
        Some(kind) => pinned(view, kind, locator),
        None => {
            Err(Error::invalid("which kind? write kind:name@version").context("reference", locator))
        }
    }
}

/// A channel stands for the unit it serves.
fn served(view: &View, locator: &Locator) -> Result<NodeRef> {
    if locator.selector != Selector::Latest {
        return Err(Error::invalid("a channel has no versions").context("reference", locator));
    }
    let current = RefPath::new(&format!("channel/{}/current", locator.name))?;
    let held = view.get(&current)?.and_then(|state| state.value.as_ref());
    held.and_then(Value::pointee)
        .ok_or_else(|| Error::not_found("channel", &locator.name))
}

/// People and services have one version.
fn agent(locator: &Locator) -> Result<NodeRef> {
    let version: Name = "1".parse()?;
    match &locator.selector {
        Selector::Latest => {}
        Selector::Named(named) if *named == version => {}
        _ => {
            return Err(
                Error::invalid("an agent has the one version 1").context("reference", locator)
            );
        }
    }
    Ok(NodeRef::new(NodeKind::Agent, locator.name.clone(), version))
}

/// Kinds without names for versions; code lives outside of the workspace.
fn pinned(view: &View, kind: NodeKind, locator: &Locator) -> Result<NodeRef> {
    let Selector::Named(version) = &locator.selector else {
        return Err(Error::invalid("name one version of this kind").context("reference", locator));
    };
    let node = NodeRef::new(kind, locator.name.clone(), version.clone());
    if kind == NodeKind::Code || view.get(&node.ref_path())?.is_some() {
        Ok(node)
    } else {
        Err(Error::not_found(kind.as_str(), node))
    }
}

/// Checks the workspace at `url` and reports every fault, also when it is too damaged to open.
///
/// # Errors
/// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no workspace; otherwise those of the
/// storage. Damage is in the report.
pub async fn verify(url: &str, options: impl Into<VerifyOptions> + Send) -> Result<VerifyReport> {
    let location = Location::parse(url)?;
    location.check_present()?;
    mainstay_repo::verify(location.open().await?, options).await
}

/// Repairs the workspace at `url`, also one that is too damaged to open, or says what it would do.
///
/// # Errors
/// Those of [`mainstay_repo::repair`].
pub async fn repair(url: &str, options: &RepairOptions) -> Result<RepairReport> {
    let location = Location::parse(url)?;
    location.check_present()?;
    mainstay_repo::repair(location.open().await?, options).await
}
