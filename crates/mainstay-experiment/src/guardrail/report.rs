//! What a guardrail says.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{GuardrailKind, Outcomes};

/// The verdict of a guardrail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a controller must decide on each of them"
)]
pub enum Verdict {
    /// The evidence reached `1 / alpha` at some look: roll back.
    Fail,
    /// An arm has served nothing: it is not known to be healthy. Never a reason to go on.
    NoData,
    /// An arm has served fewer requests than asked for: wait.
    Inconclusive,
    /// Each arm has served the requests asked for, and the evidence never reached `1 / alpha`.
    ///
    /// Not a proof of health: harm too small for this many requests passes. Choose the number of
    /// requests for the harm that must be found; at a failure rate of 1 %, half of all canaries
    /// with twice the rate fail by 2,000 requests in each arm, 95 % by about 5,400.
    Pass,
}

impl Verdict {
    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::NoData => "no_data",
            Self::Inconclusive => "inconclusive",
            Self::Pass => "pass",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A verdict with everything that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GuardrailReport {
    /// What was watched.
    pub kind: GuardrailKind,
    /// The verdict.
    pub verdict: Verdict,
    /// The requests the canary has served.
    pub n: u64,
    /// The outcomes of the control.
    pub control: Outcomes,
    /// The outcomes of the canary.
    pub canary: Outcomes,
    /// The share of the control's requests that failed; `None` without requests.
    pub control_rate: Option<f64>,
    /// The share of the canary's requests that failed; `None` without requests.
    pub canary_rate: Option<f64>,
    /// The highest e-value at any look, at least 1; its inverse is an always-valid p-value.
    pub e_value: f64,
    /// The guardrail fails when `e_value` reaches `1 / alpha`.
    pub alpha: f64,
}

impl fmt::Display for GuardrailReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arm = |outcomes: Outcomes| match (self.kind, outcomes.rate()) {
            (_, None) => "no requests".to_owned(),
            (GuardrailKind::SampleRatio, _) => format!("{} requests", outcomes.requests()),
            (GuardrailKind::FailureRate, Some(rate)) => format!(
                "{}/{} failed ({:.2} %)",
                outcomes.failures(),
                outcomes.requests(),
                100.0 * rate
            ),
        };
        write!(
            f,
            "{}: canary {}, control {}, e-value {} of {}",
            self.verdict,
            arm(self.canary),
            arm(self.control),
            short(self.e_value),
            short(1.0 / self.alpha)
        )
    }
}

fn short(value: f64) -> String {
    if value < 1e6 {
        format!("{value:.2}")
    } else {
        format!("{value:.2e}")
    }
}
