//! From measures of drift to a verdict.

use serde::Serialize;

use super::Drift;
use super::measure::Noise;

/// What thresholds say about a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// No drift worth a look.
    Pass,
    /// Worth a look.
    Warn,
    /// Not the same distribution.
    Fail,
}

/// The drift from which a column warns and fails.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DriftThresholds {
    /// PSI; 0.1 and 0.25 by default, the customary values.
    pub psi: Threshold,
    /// KS or total variation distance; 0.1 and 0.2 by default.
    pub ks: Threshold,
    /// Absolute change of the share of missing values; 0.05 and 0.15 by default.
    pub missing: Threshold,
}

/// Where a measure begins to warn and to fail.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a threshold has these two parts")]
pub struct Threshold {
    /// Warns from this value.
    pub warn: f64,
    /// Fails from this value.
    pub fail: f64,
}

impl Verdict {
    /// Returns its name: `pass`, `warn` or `fail`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Default for DriftThresholds {
    fn default() -> Self {
        let threshold = |warn, fail| Threshold { warn, fail };
        Self {
            psi: threshold(0.1, 0.25),
            ks: threshold(0.1, 0.2),
            missing: threshold(0.05, 0.15),
        }
    }
}

impl DriftThresholds {
    /// Sets the thresholds of the PSI.
    #[must_use]
    pub fn with_psi(mut self, psi: Threshold) -> Self {
        self.psi = psi;
        self
    }

    /// Sets the thresholds of the KS or total variation distance.
    #[must_use]
    pub fn with_ks(mut self, ks: Threshold) -> Self {
        self.ks = ks;
        self
    }

    /// Sets the thresholds of the change of the share of missing values.
    #[must_use]
    pub fn with_missing(mut self, missing: Threshold) -> Self {
        self.missing = missing;
        self
    }
}

impl Threshold {
    /// Judges a measure; one that sampling alone could make never counts.
    fn judge(self, value: Option<f64>, noise: f64) -> Verdict {
        match value.map(f64::abs) {
            Some(value) if value > noise && value >= self.fail => Verdict::Fail,
            Some(value) if value > noise && value >= self.warn => Verdict::Warn,
            _ => Verdict::Pass,
        }
    }
}

impl DriftThresholds {
    pub(super) fn judge(&self, drift: &Drift, noise: &Noise) -> Verdict {
        let verdicts = [
            self.psi.judge(drift.psi, noise.psi),
            self.ks.judge(drift.ks, noise.ks),
            self.missing.judge(Some(drift.missing), noise.missing),
        ];
        verdicts.into_iter().fold(Verdict::Pass, Verdict::max)
    }
}
