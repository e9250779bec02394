//! What is known of a rollout.

use std::collections::BTreeMap;

use mainstay_core::{Name, NodeRef, RefPath, Timestamp};
use mainstay_experiment::Evidence;
use serde::{Deserialize, Serialize};

use super::{Event, Observed, Phase};

/// The changing part of a rollout: the sum of its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RolloutState {
    /// Where it stands.
    #[serde(rename = "state")]
    pub phase: Phase,
    /// The step, from 0.
    pub step: u32,
    /// What was served in this step.
    pub step_requests: StepRequests,
    /// What each guardrail has gathered since the start, over all steps.
    pub evidence: BTreeMap<Name, Evidence>,
    /// The number of the last window of each source.
    pub sources: BTreeMap<Name, u64>,
    /// The window that the last input brought; `None` when it was a command.
    pub window: Option<Observed>,
    /// The end of the latest window.
    pub observed_until: Option<Timestamp>,
    /// What the followed refs pointed to before the candidate got everything; `None` for nothing.
    pub restore: BTreeMap<RefPath, Option<NodeRef>>,
    /// What happened last.
    pub last_event: Event,
}

/// The requests served in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StepRequests {
    /// By the baseline.
    pub control: u64,
    /// By the candidate.
    pub canary: u64,
}

impl RolloutState {
    /// Returns the state of a rollout that has just begun.
    #[must_use]
    pub fn started() -> Self {
        Self {
            phase: Phase::Running,
            step: 0,
            step_requests: StepRequests::default(),
            evidence: BTreeMap::new(),
            sources: BTreeMap::new(),
            window: None,
            observed_until: None,
            restore: BTreeMap::new(),
            last_event: Event::Started,
        }
    }
}
