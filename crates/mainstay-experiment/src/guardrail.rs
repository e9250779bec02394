//! Guardrails: always-valid tests that watch a canary against a concurrent control.

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

mod evidence;
mod mixture;
mod observation;
mod report;
#[cfg(test)]
mod tests;

use mixture::Mixture;

pub use evidence::Evidence;
pub use observation::{Observation, Outcomes};
pub use report::{GuardrailReport, Verdict};

/// A test of a canary that may be looked at after every request, from counts alone.
///
/// # What is tested
/// Of the events in one observation, a share `q` falls on the canary if the canary is as good as the
/// control. Harm multiplies the odds `q / (1 - q)` by some `θ`. The evidence against "no harm" is the
/// likelihood ratio of a mixture of `θ` to `θ = 1`, multiplied over the observations, so `q` may
/// change from one to the next:
///
/// ```text
/// e = Σ_k w_k Π_i θ_k^x_i / (θ_k q_i + 1 - q_i)^n_i
/// ```
///
/// | kind | `n_i`, events | `x_i`, on the canary | `q_i` | `θ` | `w` |
/// |---|---|---|---|---|---|
/// | failure rate | failures | the canary's failures | canary's share of the requests seen | 16 from 1.105 to 22.2 | θ/(1 + θ) ~ Beta(3, 3) |
/// | sample ratio | requests | the canary's requests | designed share | 20 from 0.08 to 13 | equal |
///
/// # What is promised
/// `e` is a non-negative supermartingale with mean at most 1 as long as the canary is no worse, so it
/// ever reaches `1 / alpha` with probability at most `alpha` (Ville 1939), however often one looks
/// and whenever one stops. [`Verdict::Fail`] means that it did, at any time. For the failure rate
/// this is exact at every sample size when, within one observation, each request is as likely as any
/// other to go to the canary: given the requests and failures seen, the canary's failures are a sample
/// without replacement, which the binomial above dominates (Hoeffding 1963, theorem 4). It
/// also holds when the canary is better than the control.
///
/// It does not hold when failures come in clusters that go to one arm together, as when one
/// user's hundred retries count as a hundred failures: count such a cluster once. The sample ratio
/// likewise wants units (users), not their requests, when assignment is by user.
///
/// A failure rate that is worse by less than about 5 % of itself is never detected.
///
/// Sources: Lindon and Malek 2022, "Anytime-valid inference for multinomial count data"; Beta
/// mixtures for binomial counts: Robbins 1970; Waudby-Smith and Ramdas 2024, "Estimating means of
/// bounded random variables by betting".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Settings", into = "Settings")]
pub struct Guardrail {
    settings: Settings,
}

/// What a [`Guardrail`] watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GuardrailKind {
    /// The canary fails more often than the control; one-sided.
    FailureRate,
    /// The canary does not get the share of the traffic it was given; two-sided.
    SampleRatio,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    kind: GuardrailKind,
    alpha: f64,
    min_requests: u64,
}

impl Guardrail {
    /// Watches for a canary that fails more often than the control.
    ///
    /// `alpha` is the highest probability of a false alarm over the whole life of the evidence, in
    /// `1e-9..=0.5`. [`Verdict::Pass`] needs `min_requests` (at least 1) in each arm.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) outside of these ranges.
    pub fn failure_rate(alpha: f64, min_requests: u64) -> Result<Self> {
        Self::try_from(Settings {
            kind: GuardrailKind::FailureRate,
            alpha,
            min_requests,
        })
    }

    /// Watches for traffic that is not split as designed, in either direction: a sign that some
    /// requests are lost or counted twice, so that nothing else can be trusted.
    ///
    /// Ranges as for [`failure_rate`](Self::failure_rate); `alpha` of 0.001 is customary.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) outside of these ranges.
    pub fn sample_ratio(alpha: f64, min_requests: u64) -> Result<Self> {
        Self::try_from(Settings {
            kind: GuardrailKind::SampleRatio,
            alpha,
            min_requests,
        })
    }

    /// Returns what is watched.
    #[must_use]
    pub fn kind(&self) -> GuardrailKind {
        self.settings.kind
    }

    /// Returns the highest probability of a false alarm.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.settings.alpha
    }

    /// Returns how many requests each arm needs before the verdict can be [`Verdict::Pass`].
    #[must_use]
    pub fn min_requests(&self) -> u64 {
        self.settings.min_requests
    }

    /// Adds what was seen since the last observation and looks once.
    ///
    /// The requests of an observation must not be chosen by their outcomes: cut observations by time
    /// or by number of requests.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when a sum would pass 2⁵³ − 1 or
    /// when `evidence` was gathered by another kind of guardrail; it is unchanged then.
    pub fn observe(&self, evidence: &mut Evidence, observation: &Observation) -> Result<()> {
        let (events, share) = self.events(observation);
        let added = Evidence::of(observation, self.mixture().terms(events, share)?);
        self.absorb(evidence, &added)
    }

    /// Adds evidence gathered elsewhere, as by another replica, and looks once.
    ///
    /// The result depends neither on the order of additions nor on how observations were grouped into
    /// evidences, except for when looks were taken: looks taken at `other` are forgotten, since a
    /// maximum over many replicas would not keep the promise.
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    pub fn absorb(&self, evidence: &mut Evidence, other: &Evidence) -> Result<()> {
        if other.terms.is_empty() {
            return Ok(());
        }
        let mut sum = evidence.plus(other)?;
        if sum.terms.len() != self.mixture().len() {
            return Err(Error::invalid("evidence of another kind of guardrail")
                .operation("observe")
                .context("guardrail", format!("{:?}", self.kind())));
        }
        let now = self.mixture().log_e(self.on_canary(&sum), &sum.terms);
        sum.raise_peak(now);
        *evidence = sum;
        Ok(())
    }

    /// Judges the evidence.
    #[must_use]
    pub fn report(&self, evidence: &Evidence) -> GuardrailReport {
        let (control, canary) = (evidence.control, evidence.canary);
        let n = control.requests().min(canary.requests());
        let e_value = evidence.peak();
        let verdict = if e_value >= 1.0 / self.alpha() {
            Verdict::Fail
        } else if n == 0 {
            Verdict::NoData
        } else if n < self.min_requests() {
            Verdict::Inconclusive
        } else {
            Verdict::Pass
        };
        GuardrailReport {
            kind: self.kind(),
            verdict,
            n: canary.requests(),
            control,
            canary,
            control_rate: control.rate(),
            canary_rate: canary.rate(),
            e_value,
            alpha: self.alpha(),
        }
    }

    fn mixture(&self) -> &'static Mixture {
        match self.kind() {
            GuardrailKind::FailureRate => mixture::harm(),
            GuardrailKind::SampleRatio => mixture::either_way(),
        }
    }

    /// Returns the number of events, and the canary's share of them under the null hypothesis.
    fn events(&self, seen: &Observation) -> (u64, f64) {
        match self.kind() {
            GuardrailKind::FailureRate => (seen.failures(), seen.canary_share()),
            GuardrailKind::SampleRatio => (seen.requests(), seen.designed_share),
        }
    }

    fn on_canary(&self, evidence: &Evidence) -> u64 {
        match self.kind() {
            GuardrailKind::FailureRate => evidence.canary.failures(),
            GuardrailKind::SampleRatio => evidence.canary.requests(),
        }
    }
}

impl TryFrom<Settings> for Guardrail {
    type Error = Error;

    fn try_from(settings: Settings) -> Result<Self> {
        let refuse = |what| Err(Error::invalid(what).operation("guardrail"));
        if !(1e-9..=0.5).contains(&settings.alpha) {
            return refuse("alpha must be within 1e-9..=0.5")
                .map_err(|error| error.context("alpha", settings.alpha));
        }
        if settings.min_requests == 0 {
            return refuse("min_requests must be at least 1");
        }
        Ok(Self { settings })
    }
}

impl From<Guardrail> for Settings {
    fn from(guardrail: Guardrail) -> Self {
        guardrail.settings
    }
}
