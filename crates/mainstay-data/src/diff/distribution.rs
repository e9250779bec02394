//! Distributions as the statistics of a column give them.

use std::collections::BTreeMap;

use crate::stats::{Buckets, ColumnStats, NumericStats, ScalarValue};

/// A distribution on the line: where it rises, and how high it is before and at each place. Between
/// the places it rises evenly.
pub(super) struct Cdf {
    steps: Vec<Step>,
    /// How many values it describes.
    pub(super) count: f64,
    /// The standard deviation, when it is known.
    pub(super) std_dev: Option<f64>,
    /// How far a height may be off.
    pub(super) resolution: f64,
}

struct Step {
    value: f64,
    before: f64,
    at: f64,
}

impl Cdf {
    /// Reads the distribution of a numeric column: exactly from the counts of few integers, else from
    /// the percentiles.
    pub(super) fn of(stats: &ColumnStats) -> Option<Self> {
        let numeric = stats.numeric.as_ref()?;
        Some(Self::from_counts(stats, numeric).unwrap_or_else(|| Self::from_percentiles(numeric)))
    }

    fn from_counts(stats: &ColumnStats, numeric: &NumericStats) -> Option<Self> {
        let mut counts = Vec::new();
        for category in stats.categories.as_ref()? {
            let ScalarValue::Number(value) = category.value else {
                return None;
            };
            counts.push((value, category.count));
        }
        counts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = float(numeric.finite);
        let mut below = 0;
        let steps = counts.into_iter().map(|(value, count)| {
            let before = float(below) / total;
            below += count;
            Step {
                value,
                before,
                at: float(below) / total,
            }
        });
        Some(Self {
            steps: steps.collect(),
            count: total,
            std_dev: numeric.std_dev,
            resolution: 0.0,
        })
    }

    fn from_percentiles(numeric: &NumericStats) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        for (percent, &value) in numeric.percentiles.iter().enumerate() {
            let height = float(percent as u64) / 100.0;
            match steps.last_mut() {
                Some(last) if last.value >= value => last.at = height,
                _ => steps.push(Step {
                    value,
                    before: height,
                    at: height,
                }),
            }
        }
        Self {
            steps,
            count: float(numeric.finite),
            std_dev: numeric.std_dev,
            resolution: 0.01,
        }
    }

    /// Returns the share of values up to `x`.
    pub(super) fn at(&self, x: f64) -> f64 {
        self.height(x, |step| step.at)
    }

    /// Returns the share of values below `x`.
    pub(super) fn before(&self, x: f64) -> f64 {
        self.height(x, |step| step.before)
    }

    /// Returns the least value up to which a share of `share` lies.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let index = self.steps.partition_point(|step| step.at < share);
        let step = self.steps.get(index).or(self.steps.last())?;
        match index.checked_sub(1).and_then(|below| self.steps.get(below)) {
            Some(below) if share < step.before => {
                let rise = step.before - below.at;
                Some(between(below.value, step.value, (share - below.at) / rise))
            }
            _ => Some(step.value),
        }
    }

    /// Iterates over the places where the distribution rises, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = f64> {
        self.steps.iter().map(|step| step.value)
    }

    fn height(&self, x: f64, on_step: impl Fn(&Step) -> f64) -> f64 {
        let index = self.steps.partition_point(|step| step.value < x);
        let below = index.checked_sub(1).and_then(|below| self.steps.get(below));
        match (below, self.steps.get(index)) {
            (_, Some(step)) if step.value <= x => on_step(step),
            (None, _) => 0.0,
            (Some(below), None) => below.at,
            (Some(below), Some(above)) => {
                // Halves, because the distance of two floats can overflow.
                let part = (x / 2.0 - below.value / 2.0) / (above.value / 2.0 - below.value / 2.0);
                between(below.at, above.before, part)
            }
        }
    }
}

fn between(a: f64, b: f64, part: f64) -> f64 {
    a * (1.0 - part) + b * part
}

/// The counts of every value that either side of a categorical column has.
pub(super) struct Categories {
    /// Counts before and after.
    pub(super) counts: Vec<(f64, f64)>,
    /// The values that are counted.
    pub(super) values: Vec<ScalarValue>,
}

impl Categories {
    /// Joins the counts of both sides; `None` when one side has no counts.
    pub(super) fn of(before: &ColumnStats, after: &ColumnStats) -> Option<Self> {
        let mut joined: BTreeMap<String, (&ScalarValue, (f64, f64))> = BTreeMap::new();
        for category in before.categories.as_ref()? {
            let entry = joined.entry(key(&category.value));
            let (_, counts) = entry.or_insert((&category.value, (0.0, 0.0)));
            counts.0 += float(category.count);
        }
        for category in after.categories.as_ref()? {
            let entry = joined.entry(key(&category.value));
            let (_, counts) = entry.or_insert((&category.value, (0.0, 0.0)));
            counts.1 += float(category.count);
        }
        let joined = joined.into_values();
        let (values, counts) = joined
            .map(|(value, counts)| (value.clone(), counts))
            .unzip();
        Some(Self { counts, values })
    }
}

/// Counts the texts of both sides by bucket, those that are empty on both sides left out; `None` when a side
/// has no counts.
pub(super) fn in_buckets(before: &ColumnStats, after: &ColumnStats) -> Option<Vec<(f64, f64)>> {
    let (before, after) = (Buckets::of(before)?, Buckets::of(after)?);
    let pairs = before.counts().iter().zip(after.counts());
    let pairs = pairs.filter(|(before, after)| **before + **after > 0);
    Some(
        pairs
            .map(|(&before, &after)| (float(before), float(after)))
            .collect(),
    )
}

/// Spells a value so that different ones stay different.
fn key(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Bool(value) => format!("b{value}"),
        ScalarValue::Number(value) => format!("n{value}"),
        ScalarValue::Text(value) => format!("t{value}"),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^53 do not occur, and would only round"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
