//! What an input leads to.

use mainstay_core::{Error, ErrorKind, Result};
use mainstay_experiment::Verdict;

use crate::{OnFail, Window};

use super::{Event, GuardrailStatus, Input, Observed, Phase, RolloutSpec, RolloutState, percent};

impl RolloutSpec {
    /// Says what `input` leads to: the events to [`evolve`](Self::evolve) by, in order.
    ///
    /// None when there is nothing to do: the window was seen before, or the rollout has ended.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when the rollout is not in a state that allows the input;
    /// [`ErrorKind::NotFound`] when there is no baseline to roll back to; [`ErrorKind::Invalid`] for a
    /// window of a step not yet reached, or counts that pass 2⁵³ − 1.
    pub fn decide(&self, state: &RolloutState, input: &Input) -> Result<Vec<Event>> {
        let live = state.phase.is_live();
        let event = match (state.phase, input) {
            (_, Input::Observe(window)) if live => return self.observe(state, window),
            (_, Input::Observe(_)) => return Ok(Vec::new()),
            (Phase::Running, Input::Pause { why }) => Event::Paused { why: why.clone() },
            (Phase::Paused, Input::Resume { why }) => Event::Resumed { why: why.clone() },
            (Phase::Running, Input::Promote { why }) => Event::Completed { why: why.clone() },
            (_, Input::RollBack { why }) if live || state.phase == Phase::Completed => {
                if self.baseline.is_none() {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        "the channel has served nothing before",
                    ));
                }
                Event::RolledBack { why: why.clone() }
            }
            (_, Input::Supersede { by }) if live => Event::Superseded { by: by.clone() },
            _ => return Err(refusal(state.phase, input)),
        };
        Ok(vec![event])
    }

    fn observe(&self, state: &RolloutState, window: &Window) -> Result<Vec<Event>> {
        let seen_before = window.id.as_ref().is_some_and(|id| {
            state
                .sources
                .get(&id.source)
                .is_some_and(|last| id.number <= *last)
        });
        if seen_before {
            return Ok(Vec::new());
        }
        let step = window
            .origin
            .as_ref()
            .map_or(state.step, |origin| origin.step);
        if step > state.step {
            return Err(Error::invalid("window of a step that was not reached yet")
                .context("step", step)
                .context("reached", state.step));
        }
        let observed = Event::Observed(Observed {
            control: window.control,
            canary: window.canary,
            step,
            at: window.at,
            id: window.id.clone(),
        });
        let next = self.judge(&self.evolve(state.clone(), &observed)?);
        Ok(vec![observed, next])
    }

    /// Says how to go on with the evidence at hand.
    fn judge(&self, state: &RolloutState) -> Event {
        let guardrails = self.guardrails(state);
        let failed = |status: &&GuardrailStatus| {
            status.report.verdict == Verdict::Fail && status.on_fail == OnFail::RollBack
        };
        if let Some(status) = guardrails.iter().find(failed) {
            let why = format!(
                "{} at {}",
                describe(status),
                percent(self.share(state.step))
            );
            return Event::RolledBack { why };
        }
        if let Some(why) = self.obstacle(state, &guardrails) {
            return Event::Held { why };
        }
        let step = state.step.saturating_add(1);
        match self.share(step) {
            0 => Event::Completed {
                why: "every guardrail passed in every step".to_owned(),
            },
            share => Event::Advanced { step, share },
        }
    }

    /// Says why the rollout must not go on.
    fn obstacle(&self, state: &RolloutState, guardrails: &[GuardrailStatus]) -> Option<String> {
        if state.phase == Phase::Paused {
            return Some("paused".to_owned());
        }
        let open = guardrails
            .iter()
            .find(|status| status.report.verdict != Verdict::Pass);
        if let Some(status) = open {
            return Some(describe(status));
        }
        let served = state.step_requests.control.min(state.step_requests.canary);
        (served < self.min_requests_per_step).then(|| {
            format!(
                "{served} of {} requests served by each arm in this step",
                self.min_requests_per_step
            )
        })
    }
}

fn describe(status: &GuardrailStatus) -> String {
    format!("guardrail {}: {}", status.name, status.report)
}

fn refusal(phase: Phase, input: &Input) -> Error {
    let wanted = match input {
        Input::Observe(_) => "observed",
        Input::Pause { .. } => "paused",
        Input::Resume { .. } => "resumed",
        Input::Promote { .. } if phase == Phase::Paused => "promoted before it is resumed",
        Input::Promote { .. } => "promoted",
        Input::RollBack { .. } => "rolled back",
        Input::Supersede { .. } => "superseded",
    };
    Error::new(
        ErrorKind::Conflict,
        format!("a {phase} rollout cannot be {wanted}"),
    )
}
