//! The rollout as a pure state machine: no I/O, no clock.

use std::fmt;

use mainstay_core::{Name, NodeRef, Result};
use mainstay_experiment::{Evidence, GuardrailReport};
use serde::{Deserialize, Serialize};

use crate::plan::{self, ALL_TRAFFIC, GuardrailSpec, OnFail};

mod decide;
mod event;
mod evolve;
mod state;
#[cfg(test)]
mod tests;

pub use event::{Event, Input, Observed};
pub use state::{RolloutState, StepRequests};

/// What a rollout does; fixed when it starts.
///
/// [`decide`](Self::decide) says what an input leads to, [`evolve`](Self::evolve) carries it out;
/// both are functions of their arguments alone.
///
/// ```text
///            ┌────────── resume ──────────┐
///            ▼                            │
///  start ─ running ──── pause ───────▶ paused
///            │ │ │                      │ │
///            │ │ └─── another start ────┴─┼──▶ superseded
///            │ └───── fail, rollback ─────┴──▶ rolled_back ◀─┐
///            └─ all steps pass, promote ─▶ completed ─ rollback
/// ```
///
/// Rolling back is possible in every state that serves the candidate; a failing guardrail rolls back
/// also while paused; promoting is refused while paused. So abort comes before pause, and pause
/// before promote, in whichever order they arrive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RolloutSpec {
    /// What the channel served before; `None` for the first unit of a channel.
    pub baseline: Option<NodeRef>,
    /// What it is to serve.
    pub candidate: NodeRef,
    /// The canary's shares in basis points, rising, each below 10,000; none when the candidate got
    /// everything at once.
    pub steps: Vec<u32>,
    /// How many requests each arm must serve in each step.
    pub min_requests_per_step: u64,
    /// What is watched.
    pub guardrails: Vec<GuardrailSpec>,
    /// What decides who is in the canary.
    pub salt: String,
    /// The rollout that this one stopped.
    pub supersedes: Option<NodeRef>,
}

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a data plane must decide on each of them"
)]
pub enum Phase {
    /// The candidate serves the share of its step.
    Running,
    /// As running, but does not go on by itself.
    Paused,
    /// The candidate serves everything.
    Completed,
    /// The baseline serves everything again.
    RolledBack,
    /// Another rollout began; the candidate serves nothing.
    Superseded,
}

/// Shares of the traffic in basis points; they sum to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Weights {
    /// The baseline's share.
    pub control: u32,
    /// The candidate's share.
    pub canary: u32,
}

/// What a guardrail of a rollout says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GuardrailStatus {
    /// Its name.
    pub name: Name,
    /// Its verdict, with what led to it.
    #[serde(flatten)]
    pub report: GuardrailReport,
    /// What happens when it fails.
    pub on_fail: OnFail,
}

impl Weights {
    pub(crate) const ALL_CONTROL: Self = Self {
        control: ALL_TRAFFIC,
        canary: 0,
    };
}

impl RolloutSpec {
    /// Checks what was read from storage.
    pub(crate) fn check(&self) -> Result<()> {
        plan::check_steps(&self.steps)?;
        plan::check_guardrails(&self.guardrails)?;
        plan::check_min_requests(self.min_requests_per_step)?;
        plan::check_salt(&self.salt)
    }

    /// Returns the shares of the traffic.
    #[must_use]
    pub fn weights(&self, state: &RolloutState) -> Weights {
        let canary = match state.phase {
            Phase::Running | Phase::Paused => self.share(state.step),
            Phase::Completed => ALL_TRAFFIC,
            Phase::RolledBack | Phase::Superseded => 0,
        };
        Weights {
            control: ALL_TRAFFIC - canary,
            canary,
        }
    }

    /// Judges the evidence so far, in the order of the guardrails.
    #[must_use]
    pub fn guardrails(&self, state: &RolloutState) -> Vec<GuardrailStatus> {
        let nothing = Evidence::default();
        self.guardrails
            .iter()
            .map(|spec| GuardrailStatus {
                name: spec.name.clone(),
                report: spec
                    .test
                    .report(state.evidence.get(&spec.name).unwrap_or(&nothing)),
                on_fail: spec.on_fail,
            })
            .collect()
    }

    /// Returns the canary's share in `step`; nothing in a step that does not exist.
    fn share(&self, step: u32) -> u32 {
        usize::try_from(step)
            .ok()
            .and_then(|step| self.steps.get(step))
            .map_or(0, |share| (*share).min(ALL_TRAFFIC))
    }
}

impl Phase {
    /// Reports whether the rollout may still go on.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::RolledBack => "rolled_back",
            Self::Superseded => "superseded",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "control {}, canary {}",
            percent(self.control),
            percent(self.canary)
        )
    }
}

/// Prints basis points as a percentage.
pub(crate) fn percent(basis_points: u32) -> String {
    format!("{} %", f64::from(basis_points) / 100.0)
}
