//! The data plane: which unit answers a request.

use mainstay_core::{NodeRef, Result};
use mainstay_experiment::Split;

use crate::channel::Channel;
use crate::{Phase, RolloutSpec, RolloutState, Weights, WindowOrigin};

/// Routes the requests of a channel, as of one view: a value without I/O or locks.
///
/// The same key always gets the same answer at the same weights, in every process; as the canary's
/// share grows, keys only join it. Keep the router behind a shared pointer, replace it when the
/// channel changes, and never by one of a lower [`epoch`](Self::epoch).
#[derive(Debug, Clone, PartialEq)]
pub struct Router {
    control: NodeRef,
    canary: NodeRef,
    split: Split,
    weights: Weights,
    origin: WindowOrigin,
    epoch: u64,
}

/// Which side of a rollout answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a rollout has two sides")]
pub enum TrafficArm {
    /// The unit that serves anyway.
    Control,
    /// The candidate.
    Canary,
}

/// Which unit answers one request; log it with the outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Route<'router> {
    /// Which side answers.
    pub arm: TrafficArm,
    /// The unit that answers.
    pub unit: &'router NodeRef,
    /// The key's position as a 64-bit fixed-point fraction of one.
    pub bucket: u64,
    /// The probability that a key is routed this way, in `0..=1`.
    pub propensity: f64,
    /// The log entry the routing is of.
    pub epoch: u64,
}

impl Router {
    pub(crate) fn read(channel: &Channel<'_>) -> Result<Self> {
        let rollout = channel.expect_latest()?;
        let (current, current_seq) = channel.expect_current()?;
        let weights = canary_weights(&rollout.spec, &rollout.state);
        Ok(Self {
            control: current,
            split: Split::new(
                &format!("channel/{}", channel.name),
                &rollout.spec.salt,
                // The canary first, so that it grows from the bottom.
                [
                    ("canary".parse()?, weights.canary),
                    ("control".parse()?, weights.control),
                ],
            )?,
            canary: rollout.spec.candidate,
            weights,
            origin: WindowOrigin {
                rollout: rollout.node,
                step: rollout.state.step,
            },
            epoch: current_seq.max(rollout.state_seq),
        })
    }

    /// Routes a request by `key`: the user, the session, whatever is to get one answer.
    ///
    /// Does not allocate. Complexity: O(length of the key).
    #[must_use]
    pub fn route(&self, key: &str) -> Route<'_> {
        let assignment = self.split.assign(key);
        let (arm, unit) = match assignment.arm {
            0 => (TrafficArm::Canary, &self.canary),
            _ => (TrafficArm::Control, &self.control),
        };
        Route {
            arm,
            unit,
            bucket: assignment.bucket,
            propensity: assignment.propensity,
            epoch: self.epoch,
        }
    }

    /// Returns the unit that serves anyway.
    #[must_use]
    pub fn control(&self) -> &NodeRef {
        &self.control
    }

    /// Returns the candidate, unless it gets no traffic beside the control.
    #[must_use]
    pub fn canary(&self) -> Option<&NodeRef> {
        (self.weights.canary > 0).then_some(&self.canary)
    }

    /// Returns the shares of the traffic that this router gives.
    #[must_use]
    pub fn weights(&self) -> Weights {
        self.weights
    }

    /// Returns the rollout and step that this router belongs to.
    #[must_use]
    pub fn origin(&self) -> &WindowOrigin {
        &self.origin
    }

    /// Returns the log entry that changed the channel last; a higher one is newer.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// Returns the shares beside the current unit; once it is the candidate, that is the control.
fn canary_weights(spec: &RolloutSpec, state: &RolloutState) -> Weights {
    match state.phase {
        Phase::Running | Phase::Paused => spec.weights(state),
        Phase::Completed | Phase::RolledBack | Phase::Superseded => Weights::ALL_CONTROL,
    }
}
