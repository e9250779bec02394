//! The likelihood ratio of a mixture of odds ratios to no effect.

use std::sync::LazyLock;

use mainstay_core::{Error, Result};

use super::evidence::in_range;

/// A logarithm in units of 2⁻²⁰.
pub(super) type Fixed = i64;

/// How many units make one.
pub(super) const SCALE: f64 = 1_048_576.0;

// Logarithms of the odds ratios; part of the format of stored evidence.
const HARM: [f64; 16] = [
    0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9, 2.1, 2.3, 2.5, 2.7, 2.9, 3.1,
];
const EITHER_WAY: [f64; 20] = [
    -2.56, -1.28, -0.64, -0.32, -0.16, -0.08, -0.04, -0.02, -0.01, -0.005, 0.005, 0.01, 0.02, 0.04,
    0.08, 0.16, 0.32, 0.64, 1.28, 2.56,
];

/// Odds ratios and how much weight each has.
#[derive(Debug)]
pub(super) struct Mixture {
    alternatives: Vec<Alternative>,
}

#[derive(Debug)]
struct Alternative {
    log_odds: f64,
    // θ - 1
    excess: f64,
    log_weight: f64,
}

/// Returns the mixture of odds ratios above one, as if θ/(1 + θ) were drawn from Beta(3, 3).
pub(super) fn harm() -> &'static Mixture {
    static MIXTURE: LazyLock<Mixture> = LazyLock::new(|| {
        Mixture::new(&HARM, |log_odds| {
            // The density of ln θ: p³ (1 - p)³ with p = θ/(1 + θ).
            let p = 1.0 / (1.0 + (-log_odds).exp());
            (p * (1.0 - p)).powi(3)
        })
    });
    &MIXTURE
}

/// Returns the mixture of odds ratios on both sides of one, all of one weight.
pub(super) fn either_way() -> &'static Mixture {
    static MIXTURE: LazyLock<Mixture> = LazyLock::new(|| Mixture::new(&EITHER_WAY, |_| 1.0));
    &MIXTURE
}

impl Mixture {
    fn new(log_odds: &[f64], density: impl Fn(f64) -> f64) -> Self {
        let total: f64 = log_odds.iter().map(|odds| density(*odds)).sum();
        let alternatives = log_odds
            .iter()
            .map(|&log_odds| Alternative {
                log_odds,
                excess: log_odds.exp_m1(),
                log_weight: (density(log_odds) / total).ln(),
            })
            .collect();
        Self { alternatives }
    }

    pub(super) fn len(&self) -> usize {
        self.alternatives.len()
    }

    /// Returns `events · ln(θ q + 1 - q)` for each alternative, rounded up: towards no effect.
    ///
    /// `share` is the canary's share of the events without effect, in `0..=1`.
    pub(super) fn terms(&self, events: u64, share: f64) -> Result<Vec<Fixed>> {
        self.alternatives
            .iter()
            .map(|alternative| to_fixed_above(exact(events) * (alternative.excess * share).ln_1p()))
            .collect()
    }

    /// Returns the logarithm of the e-value: `ln Σ w θ^on_canary / exp(terms)`.
    pub(super) fn log_e(&self, on_canary: u64, terms: &[Fixed]) -> f64 {
        let logs = || {
            self.alternatives.iter().zip(terms).map(|(each, term)| {
                each.log_weight + exact(on_canary) * each.log_odds - from_fixed(*term)
            })
        };
        let highest = logs().fold(f64::NEG_INFINITY, f64::max);
        highest + logs().map(|log| (log - highest).exp()).sum::<f64>().ln()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts are at most 2^53, where f64 is exact"
)]
fn exact(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "at most 2^53, where f64 is exact"
)]
fn from_fixed(value: Fixed) -> f64 {
    value as f64 / SCALE
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a value out of range saturates and is refused"
)]
fn to_fixed_above(log: f64) -> Result<Fixed> {
    let fixed = (log * SCALE).ceil();
    if fixed.is_finite() {
        in_range(fixed as Fixed)
    } else {
        Err(Error::invalid("too many events for one evidence"))
    }
}
