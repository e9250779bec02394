//! How a channel stands.

use mainstay_core::{Error, Name, NodeRef, Result, Timestamp};
use serde::Serialize;

use crate::channel::{Channel, Rollout};
use crate::{Event, GuardrailStatus, Phase, RolloutSpec, RolloutState, StepRequests, Weights};

/// How a channel stands: what serves, and how its newest rollout is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The channel.
    pub channel: Name,
    /// The unit that serves as the baseline, or everything when nothing is being rolled out.
    pub unit: NodeRef,
    /// The unit of the newest rollout.
    pub candidate: NodeRef,
    /// The newest rollout.
    pub rollout: NodeRef,
    /// Where it stands.
    pub state: Phase,
    /// Its step, from 0.
    pub step: u32,
    /// The canary's share in each step, in basis points; none when the unit was put at once.
    pub shares: Vec<u32>,
    /// The shares of the traffic now.
    pub weights: Weights,
    /// What was served in this step.
    pub step_requests: StepRequests,
    /// How many requests each arm must serve in each step.
    pub min_requests_per_step: u64,
    /// What the guardrails say.
    pub guardrails: Vec<GuardrailStatus>,
    /// The end of the latest window observed.
    pub observed_until: Option<Timestamp>,
    /// What happened last.
    pub last_event: Event,
}

impl Status {
    /// Reads how a channel stands.
    pub(crate) fn read(channel: &Channel<'_>) -> Result<Self> {
        let rollout = channel.expect_latest()?;
        let (unit, _) = channel.current()?.ok_or_else(|| {
            Error::corrupt(format!("channel/{}/current", channel.name), "missing")
        })?;
        Ok(Self::of(channel, unit, &rollout))
    }

    /// Describes a channel that serves `unit` with `rollout` as its newest.
    pub(crate) fn of(channel: &Channel<'_>, unit: NodeRef, rollout: &Rollout) -> Self {
        Self::new(
            &channel.name,
            unit,
            &rollout.node,
            &rollout.spec,
            &rollout.state,
        )
    }

    pub(crate) fn new(
        channel: &Name,
        unit: NodeRef,
        rollout: &NodeRef,
        spec: &RolloutSpec,
        state: &RolloutState,
    ) -> Self {
        Self {
            channel: channel.clone(),
            unit,
            candidate: spec.candidate.clone(),
            rollout: rollout.clone(),
            state: state.phase,
            step: state.step,
            shares: spec.steps.clone(),
            weights: spec.weights(state),
            step_requests: state.step_requests,
            min_requests_per_step: spec.min_requests_per_step,
            guardrails: spec.guardrails(state),
            observed_until: state.observed_until,
            last_event: state.last_event.clone(),
        }
    }
}
