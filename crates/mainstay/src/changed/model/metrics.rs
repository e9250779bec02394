//! What was measured, before and after.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mainstay_registry::Metric;
use serde::Serialize;

/// A metric that differs, came or went; at least one side is there.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct MetricChange {
    name: String,
    a: Option<Metric>,
    b: Option<Metric>,
}

/// Lists the metrics that differ, in order of name. NaN differs from every number and not from itself.
pub(super) fn between(
    before: &BTreeMap<String, Metric>,
    after: &BTreeMap<String, Metric>,
) -> Vec<MetricChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changes = names.into_iter().map(|name| MetricChange {
        name: name.clone(),
        a: before.get(name).copied(),
        b: after.get(name).copied(),
    });
    changes.filter(|metric| metric.a != metric.b).collect()
}

impl MetricChange {
    /// Reports whether a number became none, as when a training diverged.
    pub(super) fn is_lost(&self) -> bool {
        let is_number = |metric: &Metric| metric.value().is_finite();
        self.b.is_some_and(|metric| !is_number(&metric))
            && self.a.is_none_or(|metric| is_number(&metric))
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

/// Three decimals for the eye; the detail has all of them.
fn rounded(metric: Metric) -> Metric {
    let value = metric.value();
    let rounded = (value * 1_000.0).round() / 1_000.0;
    let is_told = rounded.is_finite() && (rounded != 0.0 || value == 0.0);
    if is_told { rounded.into() } else { metric }
}
