//! Gates: what a version must pass to enter a stage.

use std::collections::BTreeMap;
use std::fmt;

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::text;

/// Whole numbers below this have an exact canonical JSON.
const MAX_LIMIT: f64 = 1e15;

/// A condition on a version that is to enter a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Gate {
    /// A metric is at least `limit`.
    AtLeast {
        /// The metric.
        metric: String,
        /// The least value that passes.
        limit: f64,
    },
    /// A metric is at most `limit`.
    AtMost {
        /// The metric.
        metric: String,
        /// The greatest value that passes.
        limit: f64,
    },
    /// A metric is not worse than that of the version that holds the stage; passes when nobody does.
    ///
    /// A holder that lacks the metric fails the gate: nothing shows that the candidate is as good.
    NotWorse {
        /// The metric.
        metric: String,
        /// Which direction is better.
        better: Better,
        /// How much worse still passes, in units of the metric; 0 or more.
        tolerance: f64,
    },
    /// A tag is set, to `value` if that is given.
    Tag {
        /// The key.
        key: String,
        /// The value it must have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
    },
}

/// Which direction of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a number is better higher or lower"
)]
pub enum Better {
    /// Higher is better: accuracy.
    Higher,
    /// Lower is better: loss.
    Lower,
}

/// What a gate found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct GateResult {
    /// The gate.
    pub gate: Gate,
    /// Whether the version passed.
    pub passed: bool,
    /// The candidate's value, if it has the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Metric>,
    /// The holder's value, if there is a holder that has the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incumbent: Option<Metric>,
    /// Why, for people.
    pub why: String,
}

/// What gates look at: one version's metrics and tags.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Evidence {
    pub(crate) metrics: BTreeMap<String, Metric>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Gate {
    /// Checks that the gate can be stored and its numbers make sense.
    pub(crate) fn check(&self) -> Result<()> {
        let (key, number, least) = match self {
            Self::AtLeast { metric, limit } | Self::AtMost { metric, limit } => {
                (metric, *limit, -MAX_LIMIT)
            }
            Self::NotWorse {
                metric, tolerance, ..
            } => (metric, *tolerance, 0.0),
            Self::Tag { key, .. } => (key, 0.0, 0.0),
        };
        text::check_keys("gate", std::iter::once(key))?;
        if (least..=MAX_LIMIT).contains(&number) {
            Ok(())
        } else {
            Err(
                Error::invalid("a limit lies within 1e15 of zero, a tolerance is 0 or more")
                    .context("gate", self),
            )
        }
    }

    /// Evaluates the gate. A metric that is missing, NaN or infinite fails it; a holder's that is NaN or
    /// infinite loses to any that is not.
    pub(crate) fn evaluate(
        &self,
        candidate: &Evidence,
        incumbent: Option<&Evidence>,
    ) -> GateResult {
        let finding = match self {
            Self::AtLeast { metric, limit } => limited(candidate, metric, |value| value >= *limit),
            Self::AtMost { metric, limit } => limited(candidate, metric, |value| value <= *limit),
            Self::NotWorse {
                metric,
                better,
                tolerance,
            } => not_worse(candidate, incumbent, metric, *better, *tolerance),
            Self::Tag { key, value } => tagged(candidate, key, value.as_deref()),
        };
        GateResult {
            gate: self.clone(),
            passed: finding.passed,
            candidate: finding.candidate,
            incumbent: finding.incumbent,
            why: finding.why,
        }
    }
}

struct Finding {
    passed: bool,
    candidate: Option<Metric>,
    incumbent: Option<Metric>,
    why: String,
}

fn limited(candidate: &Evidence, metric: &str, passes: impl Fn(f64) -> bool) -> Finding {
    let value = candidate.metrics.get(metric).copied();
    Finding {
        passed: value.is_some_and(|value| value.value().is_finite() && passes(value.value())),
        candidate: value,
        incumbent: None,
        why: match value {
            Some(value) => format!("{metric} is {value}"),
            None => format!("{metric} was not measured"),
        },
    }
}

fn not_worse(
    candidate: &Evidence,
    incumbent: Option<&Evidence>,
    metric: &str,
    better: Better,
    tolerance: f64,
) -> Finding {
    let value = candidate.metrics.get(metric).copied();
    let held = incumbent.map(|incumbent| incumbent.metrics.get(metric).copied());
    let (passed, why) = match (value, held) {
        (None, _) => (false, format!("{metric} was not measured")),
        (Some(value), None) => (
            value.value().is_finite(),
            format!("{metric} is {value}; nobody holds the stage"),
        ),
        (Some(value), Some(None)) => (
            false,
            format!("{metric} is {value}; the holder's was not measured"),
        ),
        (Some(value), Some(Some(held))) => {
            let (ours, theirs) = (value.value(), held.value());
            let wins = match better {
                Better::Higher => ours >= theirs - tolerance,
                Better::Lower => ours <= theirs + tolerance,
            };
            (
                ours.is_finite() && (wins || !theirs.is_finite()),
                format!("{metric} is {value}; the holder's is {held}"),
            )
        }
    };
    Finding {
        passed,
        candidate: value,
        incumbent: held.flatten(),
        why,
    }
}

fn tagged(candidate: &Evidence, key: &str, value: Option<&str>) -> Finding {
    let (passed, why) = match (candidate.tags.get(key), value) {
        (None, _) => (false, format!("tag {key} is not set")),
        (Some(found), Some(wanted)) if found != wanted => {
            (false, format!("tag {key} has another value"))
        }
        (Some(_), _) => (true, format!("tag {key} is set")),
    };
    Finding {
        passed,
        candidate: None,
        incumbent: None,
        why,
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast { metric, limit } => write!(f, "{metric} >= {limit}"),
            Self::AtMost { metric, limit } => write!(f, "{metric} <= {limit}"),
            Self::NotWorse {
                metric,
                better: Better::Higher,
                tolerance,
            } => write!(f, "{metric} >= incumbent - {tolerance}"),
            Self::NotWorse {
                metric, tolerance, ..
            } => write!(f, "{metric} <= incumbent + {tolerance}"),
            Self::Tag { key, value: None } => write!(f, "tag {key}"),
            Self::Tag {
                key,
                value: Some(value),
            } => write!(f, "tag {key} = {value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(metrics: &[(&str, f64)]) -> Evidence {
        Evidence {
            metrics: metrics
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Metric::new(*value)))
                .collect(),
            tags: [("review".to_owned(), "passed".to_owned())].into(),
        }
    }

    fn check(
        gate: &Gate,
        candidate: &[(&str, f64)],
        incumbent: Option<&[(&str, f64)]>,
        passed: bool,
    ) {
        let incumbent = incumbent.map(evidence);
        let result = gate.evaluate(&evidence(candidate), incumbent.as_ref());
        assert_eq!(result.passed, passed, "{gate}: {}", result.why);
    }

    #[test]
    fn a_limit_is_part_of_what_passes_and_nan_or_nothing_never_does() {
        let gate = Gate::AtLeast {
            metric: "auc".into(),
            limit: 0.9,
        };
        check(&gate, &[("auc", 0.9)], None, true);
        check(&gate, &[("auc", 0.89)], None, false);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            check(&gate, &[("auc", odd)], None, false);
        }
        check(&gate, &[("loss", 1.0)], None, false);
    }

    #[test]
    fn not_worse_compares_with_the_holder_and_passes_without_one() {
        let loss = |tolerance| Gate::NotWorse {
            metric: "loss".into(),
            better: Better::Lower,
            tolerance,
        };
        check(&loss(0.0), &[("loss", 0.3)], Some(&[("loss", 0.3)]), true);
        check(&loss(0.0), &[("loss", 0.4)], Some(&[("loss", 0.3)]), false);
        check(&loss(0.2), &[("loss", 0.4)], Some(&[("loss", 0.3)]), true);
        check(&loss(0.0), &[("loss", 9.0)], None, true);
        check(&loss(0.0), &[("loss", 0.1)], Some(&[]), false);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            check(&loss(0.0), &[("loss", odd)], None, false);
            check(&loss(0.0), &[("loss", odd)], Some(&[("loss", 0.3)]), false);
            check(&loss(0.0), &[("loss", 0.3)], Some(&[("loss", odd)]), true);
            check(&loss(0.0), &[("loss", odd)], Some(&[("loss", odd)]), false);
        }
    }

    #[test]
    fn a_tag_must_be_there_and_have_the_value_if_one_is_asked_for() {
        let tag = |key: &str, value: Option<&str>| Gate::Tag {
            key: key.into(),
            value: value.map(Into::into),
        };
        check(&tag("review", None), &[], None, true);
        check(&tag("review", Some("passed")), &[], None, true);
        check(&tag("review", Some("failed")), &[], None, false);
        check(&tag("approved", None), &[], None, false);
    }

    #[test]
    fn limits_without_meaning_are_refused() {
        let gate = Gate::AtMost {
            metric: "loss".into(),
            limit: f64::NAN,
        };
        assert!(gate.check().is_err());
        let gate = Gate::NotWorse {
            metric: "loss".into(),
            better: Better::Lower,
            tolerance: -1.0,
        };
        assert!(gate.check().is_err());
    }
}
