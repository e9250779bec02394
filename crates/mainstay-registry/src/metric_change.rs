//! How what was measured of two versions differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use crate::metric::Metric;

/// A metric that differs between two versions, or that only one of them has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MetricChange {
    /// Its name.
    pub name: String,
    /// Its value in the first; `None` when only the second has it.
    pub a: Option<Metric>,
    /// Its value in the second; `None` when only the first has it.
    pub b: Option<Metric>,
}

/// Lists the metrics that differ, in order of name. NaN differs from every number and not from itself.
///
/// Which metrics a version has says [`ModelInfo::metrics`](crate::ModelInfo::metrics).
#[must_use]
pub fn metric_changes(
    a: &BTreeMap<String, Metric>,
    b: &BTreeMap<String, Metric>,
) -> Vec<MetricChange> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let changes = names.into_iter().map(|name| MetricChange {
        name: name.clone(),
        a: a.get(name).copied(),
        b: b.get(name).copied(),
    });
    changes.filter(|metric| metric.a != metric.b).collect()
}

impl MetricChange {
    /// Reports whether a number became none, as when a training diverged.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        let is_number = |metric: &Metric| metric.value().is_finite();
        self.b.is_some_and(|metric| !is_number(&metric))
            && self.a.is_none_or(|metric| is_number(&metric))
    }

    /// Returns how much was added, where both are finite and so is the difference.
    #[must_use]
    pub fn delta(&self) -> Option<f64> {
        let delta = self.b?.value() - self.a?.value();
        delta.is_finite().then_some(delta)
    }
}

impl fmt::Display for MetricChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (self.a, self.b) {
            (Some(a), Some(b)) => {
                let (short_a, short_b) = (rounded(a), rounded(b));
                if short_a == short_b {
                    write!(f, "{name} {a} → {b}")
                } else {
                    write!(f, "{name} {short_a} → {short_b}")
                }
            }
            (Some(a), None) => write!(f, "{name} {} removed", rounded(a)),
            (None, Some(b)) => write!(f, "{name} {} added", rounded(b)),
            (None, None) => Ok(()),
        }
    }
}

/// Three decimals for the eye; the change has all of them.
fn rounded(metric: Metric) -> Metric {
    let value = metric.value();
    let rounded = (value * 1_000.0).round() / 1_000.0;
    let is_told = rounded.is_finite() && (rounded != 0.0 || value == 0.0);
    if is_told { rounded.into() } else { metric }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_listed_and_nan_does_not_differ_from_itself() {
        let metrics = |values: &[(&str, f64)]| -> BTreeMap<String, Metric> {
            let values = values.iter();
            values
                .map(|(name, value)| ((*name).to_owned(), Metric::new(*value)))
                .collect()
        };
        let before = metrics(&[("auc", 0.5), ("f1", 0.1), ("loss", f64::NAN), ("old", 1.0)]);
        let after = metrics(&[
            ("auc", 0.75),
            ("f1", f64::NAN),
            ("loss", f64::NAN),
            ("new", 2.0),
        ]);
        let changes = metric_changes(&before, &after);
        let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "auc 0.5 → 0.75",
                "f1 0.1 → NaN",
                "new 2 added",
                "old 1 removed"
            ]
        );
        let deltas: Vec<_> = changes.iter().map(MetricChange::delta).collect();
        assert_eq!(deltas, [Some(0.25), None, None, None]);
        let lost: Vec<_> = changes.iter().map(MetricChange::is_lost).collect();
        assert_eq!(lost, [false, true, false, false]);
    }
}
