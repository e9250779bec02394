//! What happens to a rollout.

use std::fmt;

use mainstay_core::{NodeRef, Timestamp};
use mainstay_experiment::Outcomes;
use serde::{Deserialize, Serialize};

use crate::{Window, WindowId};

use super::percent;

/// What is asked of a rollout.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Input {
    /// Take in what was seen, and go on, hold or roll back.
    Observe(Window),
    /// Do not go on by yourself.
    Pause {
        /// Why.
        why: String,
    },
    /// Go on again.
    Resume {
        /// Why.
        why: String,
    },
    /// Give the candidate everything now.
    Promote {
        /// Why.
        why: String,
    },
    /// Give the baseline everything.
    RollBack {
        /// Why.
        why: String,
    },
    /// Make way for another rollout.
    Supersede {
        /// The other rollout.
        by: NodeRef,
    },
}

/// What happened to a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Event {
    /// It began.
    Started,
    /// A window was taken in.
    Observed(Observed),
    /// It stays at its step.
    Held {
        /// Why.
        why: String,
    },
    /// It went on to a step.
    Advanced {
        /// The step, from 0.
        step: u32,
        /// The canary's share in basis points.
        share: u32,
    },
    /// The candidate got everything.
    Completed {
        /// Why.
        why: String,
    },
    /// It does not go on by itself.
    Paused {
        /// Why.
        why: String,
    },
    /// It goes on again.
    Resumed {
        /// Why.
        why: String,
    },
    /// The baseline got everything.
    RolledBack {
        /// Why.
        why: String,
    },
    /// Another rollout began.
    Superseded {
        /// The other rollout.
        by: NodeRef,
    },
}

/// A window that was taken in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Observed {
    /// The control's outcomes.
    pub control: Outcomes,
    /// The canary's outcomes.
    pub canary: Outcomes,
    /// The step it was counted in, from 0.
    pub step: u32,
    /// When it ended.
    pub at: Timestamp,
    /// Which window it was, if it was named.
    pub id: Option<WindowId>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Observed(window) => write!(
                f,
                "observed: control {} requests, canary {} requests",
                window.control.requests(),
                window.canary.requests()
            ),
            Self::Held { why } => write!(f, "held: {why}"),
            Self::Advanced { share, .. } => write!(f, "advanced to {}", percent(*share)),
            Self::Completed { why } => write!(f, "completed: {why}"),
            Self::Paused { why } => write!(f, "paused: {why}"),
            Self::Resumed { why } => write!(f, "resumed: {why}"),
            Self::RolledBack { why } => write!(f, "rolled back: {why}"),
            Self::Superseded { by } => write!(f, "superseded by {by}"),
        }
    }
}
