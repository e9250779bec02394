//! How a channel stands.

use mainstay_core::{Name, NodeRef, Result, Timestamp};
use serde::Serialize;

use crate::channel::{Channel, Rollout};
use crate::{Event, GuardrailStatus, Phase, RolloutSpec, RolloutState, StepRequests, Weights};

/// How a channel stands: what serves, and the rollout that is live or changed last.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The channel.
    pub channel: Name,
    /// The unit that serves as the baseline, or everything when nothing is being rolled out.
    pub unit: NodeRef,
    /// The unit that the rollout is to bring, or brought, or failed to.
    pub candidate: NodeRef,
    /// The rollout.
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
        let rollout = channel.last_changed()?;
        let (unit, _) = channel.expect_current()?;
        Ok(Self::of(channel, unit, &rollout))
    }

    /// Describes a channel that serves `unit`, by `rollout`.
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
