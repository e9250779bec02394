//! Acquiring a lease.

use std::time::Duration;

use mainstay_core::{Actor, Result};
use tracing::instrument;

use super::Lease;
use super::state::{LeaseHolder, LeaseRefs, LeaseState};
use crate::{Expectation, Repo, Step, Transaction};

/// How often a lease is looked at within its term.
const LOOKS: u32 = 4;

impl Repo {
    /// Prepares to contend for the lease called `name`, one to ten names joined by `/`.
    ///
    /// `term` is what the holder promises: it renews the lease more often than that, three times as
    /// often to be safe. It says how long the others wait when the holder is gone; no two clocks are
    /// ever compared. Does no I/O.
    ///
    /// ```
    /// # use std::{sync::Arc, time::Duration};
    /// # use mainstay_core::{Actor, ErrorKind};
    /// # use mainstay_repo::{Expectation, Repo, RepoOptions, Transaction, Value};
    /// # use mainstay_store::MemoryStorage;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
    /// let term = Duration::from_millis(20);
    /// let a = repo.lease("rollout/prod", Actor::new("a")?, term)?;
    /// let b = repo.lease("rollout/prod", Actor::new("b")?, term)?;
    /// let held_by_a = a.try_acquire().await?.unwrap();
    /// assert!(b.try_acquire().await?.is_none());
    ///
    /// // `a` is not heard of for a whole term: `b` takes over, and `a` can commit nothing more.
    /// let held_by_b = b.acquire(2).await?.unwrap();
    /// assert!(held_by_b.epoch() > held_by_a.epoch());
    /// let mut step = Transaction::new(Actor::new("a")?, "next step");
    /// step.set("channel/prod/current".parse()?, Value::new("note", &"a")?, Expectation::Any);
    /// assert_eq!(held_by_a.commit(step).await.unwrap_err().kind(), ErrorKind::Fenced);
    /// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the name breaks the rule above, or the term
    /// is not between 1 ms and 1 day.
    pub fn lease(&self, name: &str, actor: Actor, term: Duration) -> Result<Contender> {
        let refs = LeaseRefs::new(name)?;
        LeaseHolder::new(
            mainstay_core::WriteId::from_bytes([0; 16]),
            actor.clone(),
            term,
        )?;
        Ok(Contender {
            repo: self.clone(),
            refs,
            actor,
            term,
        })
    }
}

/// Somebody who would hold a lease; made by [`Repo::lease`].
#[derive(Debug, Clone)]
pub struct Contender {
    repo: Repo,
    refs: LeaseRefs,
    actor: Actor,
    term: Duration,
}

impl Contender {
    /// Acquires the lease if nobody holds it.
    ///
    /// After an [ambiguous](mainstay_core::Error::is_ambiguous) error it may be held in vain, until
    /// its term has passed.
    ///
    /// # Errors
    /// Those of [`Repo::transact`].
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn try_acquire(&self) -> Result<Option<Lease>> {
        let seen = self.look().await?;
        match seen.holder {
            None => self.take(&seen).await,
            Some(_) => Ok(None),
        }
    }

    /// Acquires the lease, waiting for at most `patience` terms of whoever holds it.
    ///
    /// It is acquired as soon as it is seen to be free, or seen to be the same, neither renewed nor
    /// changed, for the whole term of its holder, as this process waits it on the repository's
    /// [`Timer`](mainstay_store::Timer). A patience of 2 is enough to outlast a holder that is gone.
    /// `None` when the holder was still heard of.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    #[instrument(skip(self), err(level = "debug"))]
    pub async fn acquire(&self, patience: u32) -> Result<Option<Lease>> {
        let mut seen = self.look().await?;
        let mut same = 0;
        for left in (0..=patience.saturating_mul(LOOKS)).rev() {
            let due = seen.holder.is_none() || same == LOOKS;
            if due && let Some(lease) = self.take(&seen).await? {
                return Ok(Some(lease));
            }
            if left == 0 {
                break;
            }
            if let (Some(holder), false) = (&seen.holder, due) {
                let timer = &self.repo.inner.options.timer;
                timer.sleep(holder.term() / LOOKS).await;
            }
            let now = self.look().await?;
            same = if now == seen && !due { same + 1 } else { 0 };
            seen = now;
        }
        Ok(None)
    }

    /// Returns who holds the lease; `None` when nobody does.
    ///
    /// # Errors
    /// Those of [`Repo::read`].
    pub async fn holder(&self) -> Result<Option<LeaseHolder>> {
        Ok(self.look().await?.holder)
    }

    async fn look(&self) -> Result<LeaseState> {
        let read = self.repo.read(|view| LeaseState::read(view, &self.refs));
        read.await
    }

    /// Becomes the holder unless the lease is no longer as it was seen.
    async fn take(&self, seen: &LeaseState) -> Result<Option<Lease>> {
        let id = self.repo.inner.options.ids.write_id()?;
        let holder = LeaseHolder::new(id, self.actor.clone(), self.term)?;
        let value = holder.to_value()?;
        let taken = self.repo.transact(|view| {
            if LeaseState::read(view, &self.refs)? != *seen {
                return Ok(Step::Done(false));
            }
            let mut take = Transaction::new(self.actor.clone(), "acquire the lease");
            take.set(self.refs.holder.clone(), value.clone(), Expectation::Any);
            Ok(Step::Commit(take, true))
        });
        let (_, taken) = taken.await?;
        let repo = self.repo.clone();
        let lease = || Lease::new(repo, self.refs.clone(), holder, seen.epoch + 1);
        Ok(taken.then(lease))
    }
}
