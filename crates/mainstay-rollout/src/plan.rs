//! How a rollout proceeds: steps and guardrails.

use mainstay_core::{Error, Name, Result};
use mainstay_experiment::Guardrail;
use serde::{Deserialize, Serialize};

/// All of the traffic, in basis points.
pub(crate) const ALL_TRAFFIC: u32 = 10_000;

const MAX_STEPS: usize = 64;
const MAX_GUARDRAILS: usize = 16;

/// How a canary is given more and more of a channel's traffic.
///
/// A step ends when every guardrail passes and both arms have served
/// [`min_requests_per_step`](Self::min_requests_per_step) in it; after the last step the candidate
/// gets everything. A guardrail without data never passes, so a rollout nobody observes stays where
/// it is.
///
/// Every guardrail adds its own `alpha` to the probability that a healthy canary is rolled back.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RolloutPlan {
    /// The canary's shares of the traffic in basis points (hundredths of a percent), rising, 1 to 64
    /// of them below 10,000. A last 10,000 says what is understood anyway.
    pub steps: Vec<u32>,
    /// How many requests each arm must serve in each step.
    pub min_requests_per_step: u64,
    /// What is watched, 1 to 16 guardrails.
    pub guardrails: Vec<GuardrailSpec>,
    /// What decides who is in the canary: by default the rollout's own name, so that each rollout
    /// picks other people. Give the salt of an earlier rollout to pick the same people.
    pub salt: Option<String>,
}

/// A guardrail of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GuardrailSpec {
    /// Its name, unique within the rollout.
    pub name: Name,
    /// The test.
    pub test: Guardrail,
    /// What happens when it fails.
    pub on_fail: OnFail,
}

/// What a failing guardrail does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a controller must decide on each of them"
)]
pub enum OnFail {
    /// The rollout is rolled back.
    RollBack,
    /// The rollout stays at its step until somebody promotes it or rolls it back.
    Hold,
}

impl Default for RolloutPlan {
    /// 5 %, 25 %, 50 %, everything, with at least 500 requests a step; rolls back when the failure
    /// rate is worse at `alpha` = 0.05.
    #[expect(clippy::expect_used, reason = "constants within the documented ranges")]
    fn default() -> Self {
        let failures = Guardrail::failure_rate(0.05, 500).expect("0.05 and 500 are in range");
        let name = "failures".parse().expect("letters are a name");
        Self {
            steps: vec![500, 2_500, 5_000],
            min_requests_per_step: 500,
            guardrails: vec![GuardrailSpec::new(name, failures, OnFail::RollBack)],
            salt: None,
        }
    }
}

impl RolloutPlan {
    /// Sets the steps, in basis points.
    #[must_use]
    pub fn with_steps(mut self, steps: impl IntoIterator<Item = u32>) -> Self {
        self.steps = steps.into_iter().collect();
        self
    }

    /// Sets how many requests each arm must serve in each step.
    #[must_use]
    pub fn with_min_requests_per_step(mut self, requests: u64) -> Self {
        self.min_requests_per_step = requests;
        self
    }

    /// Sets the guardrails.
    #[must_use]
    pub fn with_guardrails(mut self, guardrails: impl IntoIterator<Item = GuardrailSpec>) -> Self {
        self.guardrails = guardrails.into_iter().collect();
        self
    }

    /// Sets the salt.
    #[must_use]
    pub fn with_salt(mut self, salt: impl Into<String>) -> Self {
        self.salt = Some(salt.into());
        self
    }

    /// Returns the steps below all of the traffic.
    pub(crate) fn canary_steps(&self) -> &[u32] {
        match self.steps.split_last() {
            Some((&ALL_TRAFFIC, rest)) => rest,
            _ => &self.steps,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.canary_steps().is_empty() {
            return Err(Error::invalid(
                "a rollout needs a step below 10,000 basis points; put a unit to switch at once",
            ));
        }
        if self.guardrails.is_empty() {
            return Err(Error::invalid("a rollout needs a guardrail"));
        }
        check_steps(self.canary_steps())?;
        check_guardrails(&self.guardrails)?;
        check_min_requests(self.min_requests_per_step)?;
        check_salt(self.salt.as_deref().unwrap_or_default())
    }
}

impl GuardrailSpec {
    /// Creates a guardrail.
    #[must_use]
    pub fn new(name: Name, test: Guardrail, on_fail: OnFail) -> Self {
        Self {
            name,
            test,
            on_fail,
        }
    }
}

pub(crate) fn check_steps(steps: &[u32]) -> Result<()> {
    let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
    let in_range = steps.iter().all(|step| (1..ALL_TRAFFIC).contains(step));
    if rising && in_range && steps.len() <= MAX_STEPS {
        Ok(())
    } else {
        Err(
            Error::invalid("steps are at most 64 rising basis points between 1 and 9,999")
                .context("steps", format!("{steps:?}")),
        )
    }
}

pub(crate) fn check_guardrails(guardrails: &[GuardrailSpec]) -> Result<()> {
    if guardrails.len() > MAX_GUARDRAILS {
        return Err(Error::invalid("a rollout has at most 16 guardrails"));
    }
    let mut names: Vec<&Name> = guardrails.iter().map(|spec| &spec.name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            Err(Error::invalid("two guardrails of one name").context("guardrail", pair[0]))
        }
        None => Ok(()),
    }
}

pub(crate) fn check_min_requests(requests: u64) -> Result<()> {
    // Records hold numbers as JSON, exact up to here.
    if requests < 1 << 53 {
        Ok(())
    } else {
        Err(Error::invalid("at most 2^53 - 1 requests a step"))
    }
}

pub(crate) fn check_salt(salt: &str) -> Result<()> {
    if salt.len() <= 1_024 {
        Ok(())
    } else {
        Err(Error::invalid("a salt has at most 1,024 bytes"))
    }
}
