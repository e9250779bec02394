//! What was seen of both arms since the last observation.

use mainstay_core::{Error, Name, NodeRef, Result, Timestamp};
use mainstay_experiment::Outcomes;
use serde::{Deserialize, Serialize};

/// The outcomes of both arms over one stretch of time, as one source counted them.
///
/// Cut windows by time or by number of requests, never by outcome. Give each an id, so that sending
/// it twice counts once.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// The outcomes of the requests served by the channel's unit.
    pub control: Outcomes,
    /// The outcomes of the requests served by the candidate.
    pub canary: Outcomes,
    /// When the window ended.
    pub at: Timestamp,
    /// Which window it is, unless sending it twice cannot happen.
    pub id: Option<WindowId>,
    /// During which rollout and step it was counted; the running ones unless given.
    pub origin: Option<WindowOrigin>,
}

/// Which window of which source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WindowId {
    /// Who counted: a process, not a service, and another name after a restart.
    pub source: Name,
    /// Rises from window to window of one source, from 1.
    pub number: u64,
}

/// During which rollout and step a window was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WindowOrigin {
    /// The rollout.
    pub rollout: NodeRef,
    /// The step, from 0.
    pub step: u32,
}

impl Window {
    /// Creates a window that ended at `at`.
    #[must_use]
    pub fn new(control: Outcomes, canary: Outcomes, at: Timestamp) -> Self {
        Self {
            control,
            canary,
            at,
            id: None,
            origin: None,
        }
    }

    /// Names the window: a source sends its windows in the order of their numbers, and one whose
    /// number is not above the last is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) unless `number` is in 1..2⁵³.
    pub fn with_id(mut self, source: Name, number: u64) -> Result<Self> {
        if !(1..1 << 53).contains(&number) {
            return Err(Error::invalid("windows are numbered from 1 to 2^53 - 1"));
        }
        self.id = Some(WindowId { source, number });
        Ok(self)
    }

    /// Says during which rollout and step the window was counted. A window of another rollout is
    /// dropped, so that late counts of an old candidate never judge a new one.
    #[must_use]
    pub fn with_origin(mut self, rollout: NodeRef, step: u32) -> Self {
        self.origin = Some(WindowOrigin { rollout, step });
        self
    }
}
