//! What was seen of both arms in one stretch of time.

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

// Counts are stored as JSON numbers, which are exact up to here.
pub(super) const MAX_COUNT: u64 = (1 << 53) - 1;

/// How many requests an arm served and how many of them failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Outcomes {
    requests: u64,
    failures: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    requests: u64,
    failures: u64,
}

impl Outcomes {
    /// Creates the outcomes of `requests`, of which `failures` failed.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when there are more failures than
    /// requests, or more than 2⁵³ − 1 requests.
    pub fn new(requests: u64, failures: u64) -> Result<Self> {
        if failures <= requests && requests <= MAX_COUNT {
            Ok(Self { requests, failures })
        } else {
            Err(
                Error::invalid("failures must not exceed requests, nor requests 2^53 - 1")
                    .context("requests", requests)
                    .context("failures", failures),
            )
        }
    }

    /// Returns the number of requests.
    #[must_use]
    pub fn requests(self) -> u64 {
        self.requests
    }

    /// Returns how many of them failed.
    #[must_use]
    pub fn failures(self) -> u64 {
        self.failures
    }

    /// Returns the share of requests that failed; `None` without requests.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.requests > 0).then(|| ratio(self.failures, self.requests))
    }

    /// Adds the outcomes of other requests.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the sum passes 2⁵³ − 1.
    pub fn plus(self, other: Self) -> Result<Self> {
        // Both are below 2^53, so the sums cannot overflow.
        Self::new(
            self.requests + other.requests,
            self.failures + other.failures,
        )
    }
}

impl TryFrom<Raw> for Outcomes {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        Self::new(raw.requests, raw.failures)
    }
}

impl From<Outcomes> for Raw {
    fn from(outcomes: Outcomes) -> Self {
        Self {
            requests: outcomes.requests,
            failures: outcomes.failures,
        }
    }
}

/// The outcomes of both arms over one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Observation {
    /// The control's outcomes.
    pub control: Outcomes,
    /// The canary's outcomes.
    pub canary: Outcomes,
    /// The canary's share of the traffic by design, in `0..=1`.
    pub designed_share: f64,
}

impl Observation {
    /// Creates an observation made while the canary was meant to get `designed_share` of the traffic.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when the share is outside `0..=1` or
    /// the arms have more than 2⁵³ − 1 requests together.
    pub fn new(control: Outcomes, canary: Outcomes, designed_share: f64) -> Result<Self> {
        control.plus(canary)?;
        if !(0.0..=1.0).contains(&designed_share) {
            return Err(Error::invalid("a share lies in 0..=1").context("share", designed_share));
        }
        Ok(Self {
            control,
            canary,
            designed_share,
        })
    }

    pub(super) fn requests(&self) -> u64 {
        self.control.requests + self.canary.requests
    }

    pub(super) fn failures(&self) -> u64 {
        self.control.failures + self.canary.failures
    }

    /// Returns the canary's share of the requests seen; zero without any.
    pub(super) fn canary_share(&self) -> f64 {
        match self.requests() {
            0 => 0.0,
            requests => ratio(self.canary.requests, requests),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "both are at most 2^53, where f64 is exact"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
