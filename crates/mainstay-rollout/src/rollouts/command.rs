//! Pausing and resuming.

use mainstay_core::{Actor, Name, Result};
use mainstay_repo::{Repo, Step};

use super::finish::Transition;
use crate::channel::Channel;
use crate::{Input, Status};

pub(super) async fn pause(
    repo: &Repo,
    channel: &Name,
    actor: Actor,
    reason: &str,
) -> Result<Status> {
    let why = reason.to_owned();
    command(repo, channel, &Input::Pause { why }, actor, reason)
        .await
        .map_err(|error| error.operation("pause").context("channel", channel))
}

pub(super) async fn resume(
    repo: &Repo,
    channel: &Name,
    actor: Actor,
    reason: &str,
) -> Result<Status> {
    let why = reason.to_owned();
    command(repo, channel, &Input::Resume { why }, actor, reason)
        .await
        .map_err(|error| error.operation("resume").context("channel", channel))
}

async fn command(
    repo: &Repo,
    channel: &Name,
    input: &Input,
    actor: Actor,
    reason: &str,
) -> Result<Status> {
    let (_, status) = repo
        .transact(|view| {
            let channel = Channel::new(view, channel);
            let rollout = channel.expect_latest()?;
            let next = rollout.apply(input)?;
            let after = Transition::new(&channel, rollout, next)?;
            let status = Status::of(&channel, after.serves, &after.rollout);
            let transaction = after.draft.into_transaction(actor.clone(), reason);
            Ok(Step::Commit(transaction, status))
        })
        .await?;
    Ok(status)
}
