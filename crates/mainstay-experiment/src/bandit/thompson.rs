//! Thompson sampling for binary outcomes.

use std::cmp::Ordering;

use mainstay_core::{Error, Name, Result};
use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution};

use crate::{ArmStats, Counts};

/// Thompson sampling: draws a success rate for each arm from its Beta posterior and takes the
/// highest.
///
/// Its regret grows with the logarithm of the number of decisions, at the best possible rate
/// (Kaufmann, Korda, Munos 2012, arXiv 1205.4217; the bound is Lai and Robbins 1985). Being random,
/// it also works when many replicas decide on statistics that are merged only now and then.
///
/// The probability of a choice is not known, so decisions made this way cannot be used for
/// off-policy estimates.
///
/// ```
/// use mainstay_experiment::{ArmStats, Counts, ThompsonSampling};
/// use rand::SeedableRng;
///
/// let mut stats = ArmStats::new(["prompt-a".parse()?, "prompt-b".parse()?])?;
/// let (replica, mut rng) = ("web-1".parse()?, rand_chacha::ChaCha8Rng::seed_from_u64(7));
/// let sampler = ThompsonSampling::default();
/// for _ in 0..1_000 {
///     let arm = sampler.select(&stats, &mut rng).arm;
///     // Here prompt-b always succeeds and prompt-a never does.
///     stats.record(&replica, arm, if arm == 1 { Counts::SUCCESS } else { Counts::FAILURE })?;
/// }
/// assert!(stats.totals()[1].successes > 950);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThompsonSampling {
    alpha: f64,
    beta: f64,
}

/// The arm chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Choice<'stats> {
    /// The index of the arm, in the order of [`ArmStats::arms`].
    pub arm: usize,
    /// The arm's name.
    pub name: &'stats Name,
    /// The success rate drawn for it, in `0..=1`.
    pub draw: f64,
}

impl Default for ThompsonSampling {
    /// Every success rate is equally likely at first: Beta(1, 1).
    fn default() -> Self {
        Self {
            alpha: 1.0,
            beta: 1.0,
        }
    }
}

impl ThompsonSampling {
    /// Creates a sampler whose arms have the prior Beta(`alpha`, `beta`): as if that many successes
    /// and failures had been seen. Both lie in `0.01..=1e6`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) outside of that range.
    pub fn with_prior(alpha: f64, beta: f64) -> Result<Self> {
        let allowed = 0.01..=1e6;
        if allowed.contains(&alpha) && allowed.contains(&beta) {
            Ok(Self { alpha, beta })
        } else {
            Err(Error::invalid("a Beta prior has parameters in 0.01..=1e6")
                .context("alpha", alpha)
                .context("beta", beta))
        }
    }

    /// Chooses an arm. Equal draws are decided by `rng`, not by the order of the arms.
    ///
    /// Does not allocate. Complexity: O(number of arms).
    #[must_use]
    pub fn select<'stats>(&self, stats: &'stats ArmStats, rng: &mut impl Rng) -> Choice<'stats> {
        let (mut arm, mut best, mut ties) = (0, f64::NEG_INFINITY, 0_u32);
        for (index, counts) in stats.totals().iter().enumerate() {
            let draw = self.draw(*counts, rng);
            let wins = match draw.total_cmp(&best) {
                Ordering::Less => false,
                Ordering::Greater => {
                    ties = 1;
                    true
                }
                // The n-th of n equals replaces the one kept with probability 1/n.
                Ordering::Equal => {
                    ties += 1;
                    rng.random_ratio(1, ties)
                }
            };
            if wins {
                (arm, best) = (index, draw);
            }
        }
        Choice {
            arm,
            name: &stats.arms()[arm],
            draw: best,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts are at most 2^53, where f64 is exact"
    )]
    fn draw(&self, counts: Counts, rng: &mut impl Rng) -> f64 {
        let alpha = self.alpha + counts.successes as f64;
        let beta = self.beta + counts.failures as f64;
        // Both parameters are finite and above zero, so the distribution always exists.
        Beta::new(alpha, beta).map_or(alpha / (alpha + beta), |posterior| posterior.sample(rng))
    }
}
