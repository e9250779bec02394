//! From measures of drift to a verdict.

use std::collections::BTreeMap;

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::Drift;
use super::measure::Noise;
use crate::Column;

/// What thresholds say about a column, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing was judged: there was no table on one side, and files differ. A gate that asks for drift
    /// must not take it for a pass.
    Unjudged,
    /// No drift worth a look.
    Pass,
    /// Worth a look; also a column that changed and of which nothing can be measured, as lists or images, or
    /// not what it has a threshold of its own for.
    Warn,
    /// Not the same distribution.
    Fail,
}

impl Verdict {
    /// Returns its name: `unjudged`, `pass`, `warn` or `fail`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unjudged => "unjudged",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The drift from which columns warn and fail: for all columns, and for some of their own.
///
/// As JSON, what is not said is as by default:
///
/// ```
/// use mainstay_data::diff::DriftThresholds;
///
/// let thresholds = DriftThresholds::from_json(
///     br#"{
///         "psi": {"warn": 0.1, "fail": 0.3},
///         "columns": {
///             "country": {"new_categories": {"warn": 0.0, "fail": 0.01}},
///             "age": {"missing": {"warn": 0.01, "fail": 0.02}}
///         }
///     }"#,
/// )?;
/// assert_eq!(thresholds.psi.fail, 0.3);
/// assert!(DriftThresholds::from_json(br#"{"psi": {"warn": 2, "fail": 1}}"#).is_err());
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct DriftThresholds {
    /// PSI; 0.1 and 0.25 by default, the customary values.
    pub psi: Threshold,
    /// KS or total variation distance; 0.1 and 0.2 by default.
    pub ks: Threshold,
    /// Absolute change of the share of missing values; 0.05 and 0.15 by default.
    pub missing: Threshold,
    /// Jensen-Shannon divergence; not judged by default.
    pub js: Option<Threshold>,
    /// Cramér's V; not judged by default.
    pub cramers_v: Option<Threshold>,
    /// The share of later values that are new categories; not judged by default.
    pub new_categories: Option<Threshold>,
    /// Thresholds of single columns, by their later names, instead of those above.
    pub columns: BTreeMap<String, ColumnThresholds>,
}

/// Thresholds of one column; what is `None` is as for all columns.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ColumnThresholds {
    /// As [`DriftThresholds::psi`].
    pub psi: Option<Threshold>,
    /// As [`DriftThresholds::ks`].
    pub ks: Option<Threshold>,
    /// As [`DriftThresholds::missing`].
    pub missing: Option<Threshold>,
    /// As [`DriftThresholds::js`].
    pub js: Option<Threshold>,
    /// As [`DriftThresholds::cramers_v`].
    pub cramers_v: Option<Threshold>,
    /// As [`DriftThresholds::new_categories`].
    pub new_categories: Option<Threshold>,
}

/// Where a measure begins to warn and to fail: `0 <= warn <= fail`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Limits")]
#[expect(clippy::exhaustive_structs, reason = "a threshold has these two parts")]
pub struct Threshold {
    /// Warns from this value.
    pub warn: f64,
    /// Fails from this value.
    pub fail: f64,
}

/// A threshold that was not checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    warn: f64,
    fail: f64,
}

impl TryFrom<Limits> for Threshold {
    type Error = &'static str;

    fn try_from(Limits { warn, fail }: Limits) -> Result<Self, &'static str> {
        if 0.0 <= warn && warn <= fail && fail.is_finite() {
            Ok(Self { warn, fail })
        } else {
            Err("expected 0 <= warn <= fail")
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
            js: None,
            cramers_v: None,
            new_categories: None,
            columns: BTreeMap::new(),
        }
    }
}

impl DriftThresholds {
    /// Reads thresholds from JSON.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) saying where, when a field is unknown or a
    /// threshold is not `0 <= warn <= fail`.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json)
            .map_err(|error| Error::invalid(format!("bad thresholds: {error}")).with_source(error))
    }

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

    /// Sets thresholds of one column, by its later name.
    #[must_use]
    pub fn with_column(mut self, name: impl Into<String>, column: ColumnThresholds) -> Self {
        self.columns.insert(name.into(), column);
        self
    }

    /// Checks that the columns named are there: a gate that looks at nothing would always be open.
    pub(super) fn check_names(&self, columns: &[Column]) -> Result<()> {
        let known = |name: &str| columns.iter().any(|column| column.name == name);
        match self.columns.keys().find(|name| !known(name)) {
            Some(name) => Err(Error::not_found("column", name.escape_debug())
                .context("used in", "drift thresholds")),
            None => Ok(()),
        }
    }

    /// Judges what was measured of a column whose values, if there were any before, `changed` or did not.
    pub(super) fn judge(
        &self,
        column: &str,
        (changed, drift): (bool, &Drift),
        noise: &Noise,
    ) -> Verdict {
        let own = self.columns.get(column).copied().unwrap_or_default();
        let test = drift.chi_square.as_ref();
        let new = drift
            .categories
            .as_ref()
            .map(|categories| categories.new_share);
        let verdicts = [
            own.psi.unwrap_or(self.psi).judge(drift.psi, noise.psi),
            own.ks.unwrap_or(self.ks).judge(drift.ks, noise.ks),
            own.missing
                .unwrap_or(self.missing)
                .judge(Some(drift.missing), noise.missing),
            judge(own.js.or(self.js), drift.js, noise.js),
            judge(
                own.cramers_v.or(self.cramers_v),
                test.map(|test| test.cramers_v),
                noise.cramers_v,
            ),
            judge(own.new_categories.or(self.new_categories), new, 0.0),
        ];
        let cramers_v = test.map(|test| test.cramers_v);
        let asked = [
            (own.psi, drift.psi),
            (own.ks, drift.ks),
            (own.js, drift.js),
            (own.cramers_v, cramers_v),
            (own.new_categories, new),
        ];
        let mut asked = asked.iter();
        let is_unmeasured = drift.psi.is_none() && drift.ks.is_none() && new.is_none();
        let is_open =
            changed && (is_unmeasured || asked.any(|(of, value)| of.is_some() && value.is_none()));
        let least = if is_open {
            Verdict::Warn
        } else {
            Verdict::Pass
        };
        verdicts.into_iter().fold(least, Verdict::max)
    }
}

fn judge(threshold: Option<Threshold>, value: Option<f64>, noise: f64) -> Verdict {
    threshold.map_or(Verdict::Pass, |threshold| threshold.judge(value, noise))
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
