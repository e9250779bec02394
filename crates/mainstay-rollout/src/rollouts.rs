//! The channels of a repository and their rollouts.

use futures::stream::BoxStream;
use mainstay_core::{Actor, Error, Locator, Name, Result};
use mainstay_repo::{CommitOutcome, Repo, Step, View};

use crate::channel::Channel;
use crate::{ChannelConfig, RolloutPlan, Router, Status, SwitchPlan, Window};

mod begin;
mod command;
mod configure;
mod finish;
mod history;
mod observe;

pub use history::ChannelEvent;
pub use observe::{Action, Decision};

/// The channels of a repository and their rollouts.
///
/// A channel names what a service serves, as `prod`. Every verb is one log entry: it moves the
/// channel, its components and the pointers that follow together, or nothing.
///
/// ```text
/// channel/<channel>/current            the unit that serves: the baseline of a running rollout
/// channel/<channel>/component/<slot>   its component of one slot
/// channel/<channel>/config             which other pointers follow
/// rollout/<channel>/version/<n>        what a rollout does, from 1
/// rollout/<channel>/state/<n>          where it stands
/// ```
#[derive(Debug, Clone)]
pub struct Rollouts {
    repo: Repo,
}

impl Rollouts {
    /// Creates the handle.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self { repo }
    }

    /// Begins to roll `unit` out in `channel`, and stops the rollout that is running there.
    ///
    /// The baseline, to which the channel goes back, is the unit that serves now; it is recorded
    /// and never derived again. In a channel that serves nothing, the unit gets everything at once.
    ///
    /// # Errors
    /// As [`plan_start`](Self::plan_start), and those of a commit.
    #[tracing::instrument(skip_all, fields(%channel, %unit), err)]
    pub async fn start(
        &self,
        channel: &Name,
        unit: &Locator,
        plan: &RolloutPlan,
        actor: Actor,
        reason: &str,
    ) -> Result<Status> {
        self.switch(actor, reason, |view| {
            Self::plan_start(view, channel, unit, plan)
        })
        .await
    }

    /// Gives `unit` all of `channel`'s traffic at once, and stops the rollout that is running there.
    ///
    /// # Errors
    /// As [`plan_put`](Self::plan_put), and those of a commit.
    #[tracing::instrument(skip_all, fields(%channel, %unit), err)]
    pub async fn put(
        &self,
        channel: &Name,
        unit: &Locator,
        actor: Actor,
        reason: &str,
    ) -> Result<Status> {
        self.switch(actor, reason, |view| Self::plan_put(view, channel, unit))
            .await
    }

    /// Gives the candidate of the running rollout all of the traffic, whatever the guardrails say.
    ///
    /// # Errors
    /// As [`plan_promote`](Self::plan_promote), and those of a commit.
    #[tracing::instrument(skip_all, fields(%channel), err)]
    pub async fn promote(&self, channel: &Name, actor: Actor, reason: &str) -> Result<Status> {
        self.switch(actor, reason, |view| {
            Self::plan_promote(view, channel, reason)
        })
        .await
    }

    /// Gives the baseline all of the traffic: of the running rollout, or else of the completed one
    /// that brought the unit that serves.
    ///
    /// # Errors
    /// As [`plan_rollback`](Self::plan_rollback), and those of a commit.
    #[tracing::instrument(skip_all, fields(%channel), err)]
    pub async fn rollback(&self, channel: &Name, actor: Actor, reason: &str) -> Result<Status> {
        self.switch(actor, reason, |view| {
            Self::plan_rollback(view, channel, reason)
        })
        .await
    }

    /// Plans a [`start`](Self::start).
    ///
    /// # Errors
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): the plan breaks a rule of [`RolloutPlan`].
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): there is no such unit.
    /// * [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the channel serves the unit, or is
    ///   rolling it out.
    /// * [`Incompatible`](mainstay_core::ErrorKind::Incompatible): a pointer that follows cannot
    ///   point to the unit's component, which is of another kind or name.
    pub fn plan_start(
        view: &View,
        channel: &Name,
        unit: &Locator,
        plan: &RolloutPlan,
    ) -> Result<SwitchPlan> {
        begin::plan_start(&Channel::new(view, channel), unit, plan)
            .map_err(|error| error.operation("start").context("channel", channel))
    }

    /// Plans a [`put`](Self::put).
    ///
    /// # Errors
    /// As [`plan_start`](Self::plan_start), except that a unit being rolled out may be put.
    pub fn plan_put(view: &View, channel: &Name, unit: &Locator) -> Result<SwitchPlan> {
        begin::plan_put(&Channel::new(view, channel), unit)
            .map_err(|error| error.operation("put").context("channel", channel))
    }

    /// Plans a [`promote`](Self::promote).
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such channel;
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) when no rollout is running, or it is paused;
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) as [`plan_start`](Self::plan_start).
    pub fn plan_promote(view: &View, channel: &Name, why: &str) -> Result<SwitchPlan> {
        finish::plan_promote(&Channel::new(view, channel), why)
            .map_err(|error| error.operation("promote").context("channel", channel))
    }

    /// Plans a [`rollback`](Self::rollback).
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such channel or it has served
    /// nothing before; [`Conflict`](mainstay_core::ErrorKind::Conflict) when its current unit was not
    /// put there by a rollout.
    pub fn plan_rollback(view: &View, channel: &Name, why: &str) -> Result<SwitchPlan> {
        finish::plan_rollback(&Channel::new(view, channel), why)
            .map_err(|error| error.operation("roll back").context("channel", channel))
    }

    /// Carries out a plan, in one log entry.
    ///
    /// # Errors
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) naming the ref when anything the plan read or
    /// would write has changed since it was made; and those of a commit.
    #[tracing::instrument(skip_all, fields(channel = %plan.channel), err)]
    pub async fn apply(&self, plan: SwitchPlan, actor: Actor, reason: &str) -> Result<Status> {
        let transaction = plan.draft.into_transaction(actor, reason);
        match self.repo.commit(transaction).await? {
            CommitOutcome::Committed(_) => Ok(plan.after),
            CommitOutcome::Conflict(conflict) => Err(Error::new(
                mainstay_core::ErrorKind::Conflict,
                "the plan was made against another state: plan again",
            )
            .operation("apply")
            .context("channel", &plan.channel)
            .context("ref", conflict.path)),
        }
    }

    /// Stops the running rollout from going on by itself; its guardrails keep watching.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such channel,
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) when no rollout is running.
    #[tracing::instrument(skip_all, fields(%channel), err)]
    pub async fn pause(&self, channel: &Name, actor: Actor, reason: &str) -> Result<Status> {
        command::pause(&self.repo, channel, actor, reason).await
    }

    /// Lets a paused rollout go on.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such channel,
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) when no rollout is paused.
    #[tracing::instrument(skip_all, fields(%channel), err)]
    pub async fn resume(&self, channel: &Name, actor: Actor, reason: &str) -> Result<Status> {
        command::resume(&self.repo, channel, actor, reason).await
    }

    /// Takes in what was seen, and goes on, holds or rolls back, in one log entry.
    ///
    /// A log entry a window: observe some times a minute, not per request. Count requests in
    /// [`Counters`](crate::Counters) between. Windows dropped as repeated or late write nothing.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such channel;
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) as
    /// [`RolloutSpec::decide`](crate::RolloutSpec::decide); and those of a commit.
    #[tracing::instrument(skip_all, fields(%channel), err)]
    pub async fn observe(&self, channel: &Name, window: &Window, actor: Actor) -> Result<Decision> {
        observe::observe(&self.repo, channel, window, &actor).await
    }

    /// Sets which pointers follow `channel`, and points them to what it serves.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when a ref is not a pointer of a model, prompt or
    /// the like; [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists) when it follows another
    /// channel; [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when it cannot point to the
    /// component served.
    #[tracing::instrument(skip_all, fields(%channel), err)]
    pub async fn configure(
        &self,
        channel: &Name,
        config: &ChannelConfig,
        actor: Actor,
        reason: &str,
    ) -> Result<()> {
        configure::configure(&self.repo, channel, config, &actor, reason).await
    }

    /// Reads the configuration of `channel` in `view`; the default when it has none.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) or
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when it cannot be read.
    pub fn config(view: &View, channel: &Name) -> Result<ChannelConfig> {
        Channel::new(view, channel).config()
    }

    /// Lists the channels in `view` that serve something, in order.
    ///
    /// # Errors
    /// Those of [`View::get`].
    pub fn channels(view: &View) -> Result<Vec<Name>> {
        Ok(configure::channels(view)?
            .filter(|(_, last)| *last == "current")
            .filter_map(|(name, _)| name.parse().ok())
            .collect())
    }

    /// Tells how `channel` stands in `view`.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such channel;
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) or
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a record cannot be read.
    pub fn status(view: &View, channel: &Name) -> Result<Status> {
        Status::read(&Channel::new(view, channel))
    }

    /// Returns what routes the requests of `channel` as of `view`.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub fn router(view: &View, channel: &Name) -> Result<Router> {
        Router::read(&Channel::new(view, channel))
    }

    /// Streams what happened in `channel`: the newest rollout first, of each the newest event first.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is no such channel.
    #[tracing::instrument(skip_all, fields(%channel), err)]
    pub async fn history(
        &self,
        channel: &Name,
    ) -> Result<BoxStream<'static, Result<ChannelEvent>>> {
        history::history(&self.repo, channel).await
    }

    /// Plans on the newest view and commits on exactly that view.
    async fn switch(
        &self,
        actor: Actor,
        reason: &str,
        plan: impl Fn(&View) -> Result<SwitchPlan> + Send + Sync,
    ) -> Result<Status> {
        let (_, status) = self
            .repo
            .transact(|view| {
                let plan = plan(view)?;
                let transaction = plan.draft.into_transaction(actor.clone(), reason);
                Ok(Step::Commit(transaction, plan.after))
            })
            .await?;
        Ok(status)
    }
}
