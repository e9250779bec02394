//! Ending a rollout: forwards or backwards.

use mainstay_core::{Error, ErrorKind, NodeRef, Result};

use crate::channel::{Channel, Rollout, STATE_KIND};
use crate::draft::{Draft, Pointers};
use crate::record;
use crate::{Input, Phase, RolloutState, Status, SwitchAction, SwitchPlan, Unit};

pub(super) fn plan_promote(channel: &Channel<'_>, why: &str) -> Result<SwitchPlan> {
    let rollout = channel.expect_latest()?;
    let why = why.to_owned();
    let state = rollout.apply(&Input::Promote { why })?;
    plan(channel, rollout, state, SwitchAction::Promote)
}

pub(super) fn plan_rollback(channel: &Channel<'_>, why: &str) -> Result<SwitchPlan> {
    let latest = channel.expect_latest()?;
    let rollout = if latest.state.phase.is_live() {
        latest
    } else {
        channel.completed()?.ok_or_else(nothing_before)?
    };
    let why = why.to_owned();
    let state = rollout.apply(&Input::RollBack { why })?;
    plan(channel, rollout, state, SwitchAction::RollBack)
}

fn plan(
    channel: &Channel<'_>,
    rollout: Rollout,
    state: RolloutState,
    action: SwitchAction,
) -> Result<SwitchPlan> {
    let baseline = rollout.spec.baseline.clone().ok_or_else(nothing_before)?;
    let candidate = rollout.spec.candidate.clone();
    let (from, to) = match action {
        SwitchAction::RollBack => (candidate, baseline),
        _ => (baseline, candidate),
    };
    let (mut draft, next) = transition(channel, rollout, state)?;
    draft.check(channel.view, to.ref_path());
    // A rollback may end another rollout than the newest; the channel's status is the newest's.
    let newest = match channel.latest()? {
        Some(latest) if latest.node != next.node => latest,
        _ => next.clone(),
    };
    let serves = serves_after(channel, &next)?;
    Ok(SwitchPlan {
        channel: channel.name.clone(),
        action,
        rollout: next.node,
        from: Some(from),
        to,
        supersedes: None,
        moves: draft.moves.clone(),
        after: Status::of(channel, serves, &newest),
        draft,
    })
}

/// Drafts the change of a rollout to `next`, with the pointers that move.
///
/// The pointers move when the candidate gets everything, and back when that is undone; a rollout that
/// ends before has not moved any.
pub(super) fn transition(
    channel: &Channel<'_>,
    rollout: Rollout,
    next: RolloutState,
) -> Result<(Draft, Rollout)> {
    let mut draft = Draft::default();
    let mut rollout = rollout;
    let before = std::mem::replace(&mut rollout.state, next);
    let (was, is) = (before.phase, rollout.state.phase);
    if was.is_live() && is == Phase::Completed {
        expect_current(channel, rollout.spec.baseline.as_ref())?;
        let unit = Unit::read(channel.view, &rollout.spec.candidate)?;
        rollout.state.restore = draft.serve(channel, &unit, &Pointers::new())?;
    } else if was == Phase::Completed && is == Phase::RolledBack {
        expect_current(channel, Some(&rollout.spec.candidate))?;
        let baseline = rollout.spec.baseline.as_ref().ok_or_else(nothing_before)?;
        let unit = Unit::read(channel.view, baseline)?;
        draft.serve(channel, &unit, &before.restore)?;
    }
    draft.write(
        channel.view,
        rollout.state_path.clone(),
        record::encode(STATE_KIND, &rollout.state)?,
    );
    Ok((draft, rollout))
}

/// Names the unit that serves once `rollout` is as given.
pub(super) fn serves_after(channel: &Channel<'_>, rollout: &Rollout) -> Result<NodeRef> {
    match rollout.state.phase {
        Phase::Completed => Ok(rollout.spec.candidate.clone()),
        Phase::Running | Phase::Paused | Phase::RolledBack | Phase::Superseded => rollout
            .spec
            .baseline
            .clone()
            .ok_or_else(|| Error::corrupt(&channel.name, "a live rollout without a baseline")),
    }
}

/// Refuses to move a channel that was moved behind the rollouts' back.
fn expect_current(channel: &Channel<'_>, expected: Option<&NodeRef>) -> Result<()> {
    let current = channel.current()?.map(|(unit, _)| unit);
    if current.as_ref() == expected {
        return Ok(());
    }
    let shown = |unit: Option<&NodeRef>| unit.map_or("nothing".to_owned(), NodeRef::to_string);
    Err(Error::new(
        ErrorKind::Conflict,
        "the channel was moved by something other than its rollouts",
    )
    .context("serves", shown(current.as_ref()))
    .context("expected", shown(expected)))
}

fn nothing_before() -> Error {
    Error::new(ErrorKind::NotFound, "the channel has served nothing before")
}
