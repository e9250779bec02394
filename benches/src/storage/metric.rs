//! What is measured, and in what.

use std::time::Duration;

use serde::Serialize;

/// One thing that is measured on every backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Metric {
    /// Names it for programs; never changes its meaning.
    pub name: &'static str,
    /// Names it for people, with the amounts of this run.
    pub title: String,
    /// The unit of its values.
    pub unit: Unit,
}

impl Metric {
    pub(super) fn new(name: &'static str, title: impl Into<String>, unit: Unit) -> Self {
        let title = title.into();
        Self { name, title, unit }
    }

    /// Says how long something took, which must be a metric of time.
    pub(super) fn took(self, time: Duration) -> Measured {
        let value = match self.unit {
            Unit::Milliseconds => time.as_secs_f64() * 1e3,
            _ => time.as_secs_f64() * 1e6,
        };
        Measured {
            metric: self,
            value,
        }
    }

    /// Says how much was done in a time, which must be a metric of a rate.
    pub(super) fn rate(self, amount: usize, time: Duration) -> Measured {
        #[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^52")]
        let amount = amount as f64;
        let scale = match self.unit {
            Unit::MebibytesPerSecond => f64::from(1 << 20),
            _ => 1.0,
        };
        Measured {
            metric: self,
            value: amount / scale / time.as_secs_f64(),
        }
    }
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Unit {
    /// Operations a second: more is better.
    #[serde(rename = "1/s")]
    PerSecond,
    /// 2^20 bytes a second: more is better.
    #[serde(rename = "MiB/s")]
    MebibytesPerSecond,
    /// Less is better.
    #[serde(rename = "us")]
    Microseconds,
    /// Less is better.
    #[serde(rename = "ms")]
    Milliseconds,
}

impl Unit {
    /// In the order in which charts show them.
    pub(super) const ALL: [Self; 4] = [
        Self::PerSecond,
        Self::Microseconds,
        Self::Milliseconds,
        Self::MebibytesPerSecond,
    ];

    /// Returns the unit as people write it.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::MebibytesPerSecond => "MiB/s",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
        }
    }

    /// Returns the unit spelled out.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::PerSecond => "operations a second",
            Self::MebibytesPerSecond => "MiB a second",
            Self::Microseconds => "microseconds",
            Self::Milliseconds => "milliseconds",
        }
    }

    pub(super) fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond | Self::MebibytesPerSecond)
    }
}

/// A metric's value in one repetition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) metric: Metric,
    pub(super) value: f64,
}

/// Returns the middle of `values`: of an even number, the upper one of the two. `None` of none.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
