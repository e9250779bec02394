//! What a guardrail has gathered: a few sums.

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::mixture::{Fixed, SCALE};
use super::observation::MAX_COUNT;
use super::{Observation, Outcomes};

/// What a [`Guardrail`](crate::Guardrail) has seen: counts, and one sum for each alternative it weighs.
///
/// All are integers, logarithms in units of 2⁻²⁰ rounded against the alternatives, so that sums are
/// the same in any order. Empty at first; belongs to one guardrail. Serializes to a record of at most
/// 22 numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Evidence {
    pub(super) control: Outcomes,
    pub(super) canary: Outcomes,
    pub(super) terms: Vec<Fixed>,
    peak: Fixed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    control: Outcomes,
    canary: Outcomes,
    terms: Vec<Fixed>,
    peak: Fixed,
}

impl Evidence {
    pub(super) fn of(observation: &Observation, terms: Vec<Fixed>) -> Self {
        Self {
            control: observation.control,
            canary: observation.canary,
            terms,
            peak: 0,
        }
    }

    /// Returns the outcomes of the control so far.
    #[must_use]
    pub fn control(&self) -> Outcomes {
        self.control
    }

    /// Returns the outcomes of the canary so far.
    #[must_use]
    pub fn canary(&self) -> Outcomes {
        self.canary
    }

    /// Adds the sums of `other`; keeps the highest value of `self`.
    pub(super) fn plus(&self, other: &Self) -> Result<Self> {
        let terms = match (&self.terms[..], &other.terms[..]) {
            (one, []) | ([], one) => one.to_vec(),
            (ours, theirs) if ours.len() == theirs.len() => ours
                .iter()
                .zip(theirs)
                .map(|(our, their)| in_range(our + their))
                .collect::<Result<_>>()?,
            _ => return Err(Error::invalid("evidence of another kind of guardrail")),
        };
        Ok(Self {
            control: self.control.plus(other.control)?,
            canary: self.canary.plus(other.canary)?,
            terms,
            peak: self.peak,
        })
    }

    pub(super) fn raise_peak(&mut self, log_e: f64) {
        self.peak = self.peak.max(to_fixed_below(log_e));
    }

    /// Returns the highest e-value seen at any look; at least 1, the value without evidence.
    #[expect(
        clippy::cast_precision_loss,
        reason = "at most 2^53, where f64 is exact"
    )]
    pub(super) fn peak(&self) -> f64 {
        (self.peak as f64 / SCALE).exp().min(f64::MAX)
    }
}

/// Refuses what JSON numbers do not hold exactly.
pub(super) fn in_range(value: Fixed) -> Result<Fixed> {
    if value.unsigned_abs() <= MAX_COUNT {
        Ok(value)
    } else {
        Err(Error::invalid("too many events for one evidence").context("sum", value))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to 2^53, where f64 is exact"
)]
fn to_fixed_below(log_e: f64) -> Fixed {
    const LIMIT: f64 = 9_007_199_254_740_991.0;
    (log_e * SCALE).floor().clamp(0.0, LIMIT) as Fixed
}

impl TryFrom<Raw> for Evidence {
    type Error = Error;

    fn try_from(raw: Raw) -> Result<Self> {
        for value in raw.terms.iter().chain([&raw.peak]) {
            in_range(*value)?;
        }
        let evidence = Self {
            control: raw.control,
            canary: raw.canary,
            terms: raw.terms,
            peak: raw.peak,
        };
        if evidence.peak < 0 {
            return Err(Error::invalid("an e-value starts at one"));
        }
        if evidence.terms.is_empty() && evidence != Self::default() {
            return Err(Error::invalid("evidence without its sums"));
        }
        Ok(evidence)
    }
}

impl From<Evidence> for Raw {
    fn from(evidence: Evidence) -> Self {
        Self {
            control: evidence.control,
            canary: evidence.canary,
            terms: evidence.terms,
            peak: evidence.peak,
        }
    }
}
