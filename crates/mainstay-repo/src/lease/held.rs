//! What the holder of a lease does with it.

use mainstay_core::{Actor, Error, ErrorKind, Result};
use tracing::instrument;

use super::state::{LeaseHolder, LeaseRefs, LeaseState, beat_value};
use crate::{CommitOutcome, Committed, Expectation, Repo, Step, Transaction, View};

/// A lease that was acquired, and may have been taken over since.
///
/// That this value exists proves nothing: only what is committed through it is safe. Dropping it
/// leaves the lease to whoever waits for its term to pass; [`release`](Self::release) does not make
/// them wait.
#[derive(Debug, Clone)]
pub struct Lease {
    repo: Repo,
    refs: LeaseRefs,
    holder: LeaseHolder,
    epoch: u64,
}

impl Lease {
    pub(super) fn new(repo: Repo, refs: LeaseRefs, holder: LeaseHolder, epoch: u64) -> Self {
        Self {
            repo,
            refs,
            holder,
            epoch,
        }
    }

    /// Returns the number of this acquisition: greater than that of every earlier one of the lease,
    /// also after it was released. Others may keep it to refuse what comes from a lower one.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns who acquired it, and for how long it may stay without renewal.
    #[must_use]
    pub fn holder(&self) -> &LeaseHolder {
        &self.holder
    }

    /// Makes a transaction fail with a conflict once the lease has been taken over or released.
    ///
    /// The expectation becomes part of what an idempotency key stands for, so that the next holder
    /// cannot repeat the request under the same key; [`transact`](Self::transact) keeps it out.
    #[must_use]
    pub fn fence(&self, mut transaction: Transaction) -> Transaction {
        let expected = Expectation::Generation(self.epoch);
        transaction.check(self.refs.holder.clone(), expected);
        transaction
    }

    /// Commits a transaction as long as the lease is held.
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) when it is not: nothing was committed, and nothing will be.
    /// Otherwise those of [`Repo::commit`].
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn commit(&self, transaction: Transaction) -> Result<CommitOutcome> {
        match self.repo.commit(self.fence(transaction)).await? {
            CommitOutcome::Conflict(conflict) if conflict.path == self.refs.holder => {
                Err(self.fenced())
            }
            outcome => Ok(outcome),
        }
    }

    /// Builds a transaction on the newest view and commits it on exactly that view, as
    /// [`Repo::transact`] does, as long as the lease is held.
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) when it is not: nothing was committed, and nothing will be.
    /// Otherwise those of [`Repo::transact`].
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn transact<T: Send>(
        &self,
        mut build: impl FnMut(&View) -> Result<Step<T>> + Send,
    ) -> Result<(Option<Committed>, T)> {
        let fenced = |view: &View| {
            if LeaseState::read(view, &self.refs)?.epoch == self.epoch {
                build(view)
            } else {
                Err(self.fenced())
            }
        };
        self.repo.transact(fenced).await
    }

    /// Tells those who wait for the lease that its holder is alive. One log entry: a controller that
    /// has minutes to be replaced in takes a term of minutes.
    ///
    /// # Errors
    /// [`Fenced`](ErrorKind::Fenced) when the lease has been taken over or released; otherwise those
    /// of [`Repo::commit`].
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn renew(&self) -> Result<()> {
        let mut renewal = Transaction::new(self.actor(), "renew the lease");
        renewal.set(
            self.refs.beat.clone(),
            beat_value(self.epoch)?,
            Expectation::Any,
        );
        self.commit(renewal).await.map(drop)
    }

    /// Gives the lease back; one that was taken over already is no error. May be repeated.
    ///
    /// # Errors
    /// Those of [`Repo::commit`].
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn release(&self) -> Result<()> {
        let mut release = Transaction::new(self.actor(), "release the lease");
        let expected = Expectation::Generation(self.epoch);
        release.delete(self.refs.holder.clone(), expected);
        self.repo.commit(release).await.map(drop)
    }

    fn actor(&self) -> Actor {
        self.holder.actor.clone()
    }

    fn fenced(&self) -> Error {
        Error::new(
            ErrorKind::Fenced,
            "the lease has been taken over or released",
        )
        .context("lease", &self.refs.holder)
        .context("epoch", self.epoch)
    }
}
