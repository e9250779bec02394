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
    let Transition {
        rollout,
        serves,
        mut draft,
    } = Transition::new(channel, rollout, state)?;
    draft.check(channel.view, to.ref_path())?;
    Ok(SwitchPlan {
        channel: channel.name.clone(),
        action,
        from: Some(from),
        to,
        supersedes: None,
        moves: draft.moves.clone(),
        after: Status::of(channel, serves, &rollout),
        rollout: rollout.node,
        draft,
    })
}

/// A change of a rollout, and what has to be written for it.
pub(super) struct Transition {
    /// The rollout as it will be.
    pub(super) rollout: Rollout,
    /// The unit that will serve.
    pub(super) serves: NodeRef,
    /// What to write.
    pub(super) draft: Draft,
}

impl Transition {
    /// Drafts the change of a rollout to `next`, with the pointers that move.
    ///
    /// The pointers move when the candidate gets everything, and back when that is undone; a rollout
    /// that ends before has not moved any.
    pub(super) fn new(
        channel: &Channel<'_>,
        mut rollout: Rollout,
        next: RolloutState,
    ) -> Result<Self> {
        let mut draft = Draft::default();
        let before = std::mem::replace(&mut rollout.state, next);
        let (candidate, baseline) = (&rollout.spec.candidate, rollout.spec.baseline.as_ref());
        let serves = match (before.phase, rollout.state.phase) {
            (Phase::Running, Phase::Completed) => {
                expect_unmoved(channel, baseline)?;
                let unit = Unit::read(channel.view, candidate)?;
                rollout.state.restore = draft.serve(channel, &unit, &Pointers::new())?;
                unit.node
            }
            (Phase::Completed, Phase::RolledBack) => {
                expect_unmoved(channel, Some(candidate))?;
                let unit = Unit::read(channel.view, baseline.ok_or_else(nothing_before)?)?;
                draft.serve(channel, &unit, &before.restore)?;
                unit.node
            }
            _ => channel.expect_current()?.0,
        };
        let record = record::encode(STATE_KIND, &rollout.state)?;
        draft.write(channel.view, rollout.state_path.clone(), record)?;
        Ok(Self {
            rollout,
            serves,
            draft,
        })
    }
}

/// Refuses to move a channel that was moved behind the rollouts' back.
fn expect_unmoved(channel: &Channel<'_>, expected: Option<&NodeRef>) -> Result<()> {
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
