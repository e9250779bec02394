//! Compaction: what replicas have counted in an era becomes one object, whoever of them still lives.
//!
//! ```text
//! seal    log: the next era is open     nothing more is acknowledged in the one before
//! fold    base object, then log         its replicas' last states, added to the base before
//! sweep   deletions                     objects of folded eras
//! ```
//! A crash between any two steps leaves what is read the same, and the next compaction goes on.
//! Folding may be done by several at once: the log takes one of them.

use futures::TryStreamExt as _;
use mainstay_core::{Actor, Result};
use mainstay_store::StorageExt as _;
use tracing::instrument;

use super::TallyName;
use super::gather::{any, gather, position};
use super::object::{self, Base, ObjectName};
use super::position::{BaseRef, Position};
use crate::{Expectation, Lease, Repo, Step, Transaction, View};

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct CompactionReport {
    /// Replicas whose counts were folded into the base.
    pub folded: u64,
    /// Objects deleted.
    pub deleted: u64,
}

impl Repo {
    /// Folds what the replicas of a subject have counted so far into one object, and deletes theirs.
    ///
    /// Replicas that live go on counting, in new objects; no one has to find out which do. What is
    /// read stays the same throughout. Under the `lease`, so that of many processes one does the
    /// work; a compactor that has been replaced commits nothing more. It makes two log entries, one of
    /// about 60 bytes for each replica; a subject without new counts is left alone.
    ///
    /// ```
    /// # use std::{sync::Arc, time::Duration};
    /// # use mainstay_core::Actor;
    /// # use mainstay_repo::{Repo, RepoOptions, TallyName};
    /// # use mainstay_store::MemoryStorage;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
    /// # let subject: TallyName = "experiment/checkout".parse()?;
    /// let keeper = repo.lease("tallies", Actor::new("keeper")?, Duration::from_secs(30))?;
    /// if let Some(lease) = keeper.acquire(2).await? {
    ///     for subject in repo.tally_subjects().await? {
    ///         repo.compact_tally(&subject, &lease).await?;
    ///         lease.renew().await?;
    ///     }
    ///     lease.release().await?;
    /// }
    /// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Fenced`](mainstay_core::ErrorKind::Fenced) when the lease is no more held;
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the sum of all is beyond what can be stored;
    /// otherwise those of [`read_tally`](Self::read_tally) and [`transact`](Self::transact). Whatever
    /// was done is of use: call it again.
    #[instrument(skip(self, lease), err(level = "debug"))]
    pub async fn compact_tally(
        &self,
        subject: &TallyName,
        lease: &Lease,
    ) -> Result<CompactionReport> {
        let actor = &lease.holder().actor;
        let committer = Committer::Holder(lease);
        let mut report = CompactionReport::default();
        // What a compactor that died has left.
        report.folded += fold(self, subject, &committer, actor).await?;
        if any(self, subject).await? {
            seal(subject, &committer, actor).await?;
            report.folded += fold(self, subject, &committer, actor).await?;
        }
        report.deleted = sweep(self, subject).await?;
        Ok(report)
    }
}

/// On whose behalf to commit.
#[derive(Debug)]
pub(super) enum Committer<'a> {
    /// Only as long as the lease is held.
    Holder(&'a Lease),
    /// A replica that must know how an era ended: the expectations of the commit are enough for that
    /// to be safe.
    Replica(&'a Repo),
}

impl Committer<'_> {
    async fn transact<T: Send>(
        &self,
        build: impl FnMut(&View) -> Result<Step<T>> + Send,
    ) -> Result<T> {
        let (_, output) = match self {
            Self::Holder(lease) => lease.transact(build).await?,
            Self::Replica(repo) => repo.transact(build).await?,
        };
        Ok(output)
    }
}

/// Opens the next era, unless one is sealed already.
async fn seal(subject: &TallyName, committer: &Committer<'_>, actor: &Actor) -> Result<()> {
    let path = subject.ref_path()?;
    let sealed = committer.transact(|view| {
        let position = Position::read(view, &path)?;
        if position.sealed().is_some() {
            return Ok(Step::Done(()));
        }
        let mut seal = Transaction::new(actor.clone(), "seal an era of tallies");
        let value = position.with_next_era().to_value()?;
        seal.set(path.clone(), value, Expectation::Any);
        Ok(Step::Commit(seal, ()))
    });
    sealed.await
}

/// Folds the sealed era, if there is one, unless another does; returns how many replicas it had.
pub(super) async fn fold(
    repo: &Repo,
    subject: &TallyName,
    committer: &Committer<'_>,
    actor: &Actor,
) -> Result<u64> {
    let path = subject.ref_path()?;
    let Some(sealed) = position(&repo.view().await?, &path).await?.sealed() else {
        return Ok(0);
    };
    // Begun after the seal: nothing that was acknowledged in the era is missed.
    let gathered = gather(repo, subject, sealed).await?;
    if gathered.position.sealed() != Some(sealed) {
        return Ok(0);
    }
    let states = gathered.states.iter();
    let folded = states.map(|state| (state.id.replica.to_string(), state.sequence));
    let folded = folded.collect();
    let base = Base {
        through: sealed,
        registers: gathered.total(),
    };
    let (name, bytes) = base.encode(subject)?;
    let ObjectName::Base { through, digest } = name else {
        return Ok(0);
    };
    // Named by its bytes: if it is there, it is this.
    let storage = &repo.inner.storage;
    let _ = storage.create(&name.key(subject)?, bytes).await?;
    let base = BaseRef {
        through,
        digest,
        folded,
    };
    let replicas = base.folded.len() as u64;
    let committed = committer.transact(|view| {
        let position = Position::read(view, &path)?;
        if position.sealed() != Some(sealed) {
            return Ok(Step::Done(0));
        }
        let mut fold = Transaction::new(actor.clone(), "fold an era of tallies");
        let value = position.with_base(base.clone()).to_value()?;
        fold.set(path.clone(), value, Expectation::Any);
        Ok(Step::Commit(fold, replicas))
    });
    committed.await
}

/// Deletes the objects of folded eras; returns how many.
///
/// A base that another is about to name is of an era that is not folded, or will not be named: the
/// era is folded already.
async fn sweep(repo: &Repo, subject: &TallyName) -> Result<u64> {
    let storage = &*repo.inner.storage;
    let position = position(&repo.view().await?, &subject.ref_path()?).await?;
    let directory = object::directory(subject)?;
    let mut listed = storage.list(&directory, None);
    let mut useless = Vec::new();
    while let Some(object) = listed.try_next().await? {
        let name = ObjectName::parse(&object.key);
        if let Some(name) = name.filter(|name| Some(*name) != position.base_name())
            && name.era() <= position.through()
        {
            useless.push(object.key);
        }
    }
    drop(listed);
    for key in &useless {
        storage.delete(key).await?;
    }
    Ok(useless.len() as u64)
}
