//! Taking in what was seen.

use mainstay_core::{Actor, Name, Result};
use mainstay_repo::{Repo, Step};
use serde::Serialize;

use super::finish::Transition;
use crate::channel::Channel;
use crate::{Event, Input, Status, Window};

/// What became of a window, and how the channel stands after it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// What was done.
    pub action: Action,
    /// How the channel stands.
    pub status: Status,
}

/// What was done with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It was counted; the rollout stays at its step.
    Held,
    /// It was counted; the rollout went on to the next step.
    Advanced,
    /// It was counted; the candidate got everything.
    Completed,
    /// It was counted; the baseline got everything.
    RolledBack,
    /// It was dropped: it had been counted before.
    Repeated,
    /// It was dropped: it belongs to another rollout.
    Late,
    /// It was dropped: no rollout is live.
    Ended,
}

pub(super) async fn observe(
    repo: &Repo,
    channel: &Name,
    window: &Window,
    actor: &Actor,
) -> Result<Decision> {
    let (_, decision) = repo
        .transact(|view| step(&Channel::new(view, channel), window, actor))
        .await
        .map_err(|error| error.operation("observe").context("channel", channel))?;
    Ok(decision)
}

fn step(channel: &Channel<'_>, window: &Window, actor: &Actor) -> Result<Step<Decision>> {
    let rollout = channel.expect_latest()?;
    let dropped = |action| -> Result<Step<Decision>> {
        let status = Status::read(channel)?;
        Ok(Step::Done(Decision { action, status }))
    };
    let of_another = window
        .origin
        .as_ref()
        .is_some_and(|origin| origin.rollout != rollout.node);
    if of_another {
        return dropped(Action::Late);
    }
    if !rollout.state.phase.is_live() {
        return dropped(Action::Ended);
    }
    let events = rollout.decide(&Input::Observe(window.clone()))?;
    if events.is_empty() {
        return dropped(Action::Repeated);
    }
    let next = rollout.after(&events)?;
    let action = match &next.last_event {
        Event::Advanced { .. } => Action::Advanced,
        Event::Completed { .. } => Action::Completed,
        Event::RolledBack { .. } => Action::RolledBack,
        _ => Action::Held,
    };
    let reason = next.last_event.to_string();
    let after = Transition::new(channel, rollout, next)?;
    let status = Status::of(channel, after.serves, &after.rollout);
    let transaction = after.draft.into_transaction(actor.clone(), &reason);
    Ok(Step::Commit(transaction, Decision { action, status }))
}
