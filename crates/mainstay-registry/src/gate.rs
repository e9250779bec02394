//! Gates: what a version must pass to enter a stage.

mod evaluate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mainstay_core::{Actor, Error, FilePath, Name, Result};
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::text;

/// Whole numbers below this have an exact canonical JSON.
const MAX_LIMIT: f64 = 1e15;
/// The most approvals that one gate asks for.
const MAX_APPROVALS: u32 = 16;
/// The most roles that one gate names.
const MAX_ROLES: usize = 32;
/// The longest that an approval counts, in hours: a hundred years.
const MAX_HOURS: u32 = 876_000;

/// A condition on a version that is to enter a stage.
///
/// In JSON an object with one member, the name of the gate in snake case:
/// `{"at_least": {"metric": "auc", "limit": 0.9}}`.
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
    /// Who calls the version that holds the stage can call this one: no difference of their signatures
    /// weighs [`Major`](crate::Level::Major). Passes when nobody holds the stage.
    Compatible {
        /// Whether the serving code refuses inputs it does not know.
        #[serde(default)]
        strict_inputs: bool,
    },
    /// The version has a file that is not empty: a model card, a report.
    Document {
        /// Its path in the artifact.
        path: FilePath,
    },
    /// Who promotes has one of these roles; the caller says which they have.
    Role {
        /// The roles.
        any_of: BTreeSet<Name>,
    },
    /// Several people have approved this version for this stage under this policy; see
    /// [`Registry::approve`](crate::Registry::approve).
    Approvals {
        /// How many, each another person: 1 to 16.
        count: u32,
        /// Roles of which an approver must have one; empty for anybody.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        roles: BTreeSet<Name>,
        /// Whether the approval of whoever registered the version counts.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        author: bool,
        /// For how many hours an approval counts; for ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        valid_hours: Option<u32>,
    },
    /// A [check](crate::GateCheck) of the program's own passes. Fails in a program that does not have
    /// it.
    Check {
        /// The name under which the program has it.
        name: Name,
        /// What it is told.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        arguments: BTreeMap<String, String>,
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
    /// Whether it let the version pass.
    pub passed: bool,
    /// The metric of the version, if it has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Metric>,
    /// The metric of the version that held the stage, if anybody did and has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incumbent: Option<Metric>,
    /// What was found, in words.
    pub why: String,
    /// Whose approvals counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<Actor>,
}

impl Gate {
    /// Returns what the gate is about, for people and for `gate.…` in a search: its metric, tag,
    /// document or check, or else `signature`, `role` or `approvals`.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::AtLeast { metric, .. }
            | Self::AtMost { metric, .. }
            | Self::NotWorse { metric, .. } => metric,
            Self::Tag { key, .. } => key,
            Self::Compatible { .. } => "signature",
            Self::Document { path } => path.as_str(),
            Self::Role { .. } => "role",
            Self::Approvals { .. } => "approvals",
            Self::Check { name, .. } => name.as_str(),
        }
    }

    /// The least format of a record that holds the gate.
    pub(crate) const fn format(&self) -> u32 {
        match self {
            Self::AtLeast { .. }
            | Self::AtMost { .. }
            | Self::NotWorse { .. }
            | Self::Tag { .. } => 1,
            Self::Compatible { .. }
            | Self::Document { .. }
            | Self::Role { .. }
            | Self::Approvals { .. }
            | Self::Check { .. } => 2,
        }
    }

    /// Checks that the gate can be stored and its numbers make sense.
    pub(crate) fn check(&self) -> Result<()> {
        let checked = match self {
            Self::AtLeast { metric, limit } | Self::AtMost { metric, limit } => {
                check_key(metric).and_then(|()| check_limit(*limit, -MAX_LIMIT))
            }
            Self::NotWorse {
                metric, tolerance, ..
            } => check_key(metric).and_then(|()| check_limit(*tolerance, 0.0)),
            Self::Tag { key, value } => {
                check_key(key)?;
                value
                    .iter()
                    .try_for_each(|value| text::check_value("gate", value))
            }
            Self::Compatible { .. } | Self::Document { .. } => Ok(()),
            Self::Role { any_of } => check_roles(any_of, 1),
            Self::Approvals {
                count,
                roles,
                valid_hours,
                ..
            } => check_roles(roles, 0).and_then(|()| check_approvals(*count, *valid_hours)),
            Self::Check { arguments, .. } => {
                text::check_keys("arguments", arguments.keys())?;
                let mut values = arguments.values();
                values.try_for_each(|value| text::check_value("argument", value))
            }
        };
        checked.map_err(|error| error.context("gate", self))
    }
}

fn check_key(key: &String) -> Result<()> {
    text::check_keys("gate", std::iter::once(key))
}

fn check_limit(number: f64, least: f64) -> Result<()> {
    if (least..=MAX_LIMIT).contains(&number) {
        Ok(())
    } else {
        Err(Error::invalid(
            "a limit lies within 1e15 of zero, a tolerance is 0 or more",
        ))
    }
}

fn check_roles(roles: &BTreeSet<Name>, least: usize) -> Result<()> {
    if (least..=MAX_ROLES).contains(&roles.len()) {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "a gate names {least} to {MAX_ROLES} roles"
        )))
    }
}

fn check_approvals(count: u32, valid_hours: Option<u32>) -> Result<()> {
    if !(1..=MAX_APPROVALS).contains(&count) {
        return Err(Error::invalid(format!(
            "a gate asks for 1 to {MAX_APPROVALS} approvals"
        )));
    }
    if valid_hours.is_some_and(|hours| !(1..=MAX_HOURS).contains(&hours)) {
        return Err(Error::invalid(format!(
            "an approval counts for 1 to {MAX_HOURS} hours"
        )));
    }
    Ok(())
}

impl GateResult {
    /// The least format of a record that holds the result.
    pub(crate) const fn format(&self) -> u32 {
        if self.approved_by.is_empty() {
            self.gate.format()
        } else {
            2
        }
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
            Self::Compatible { .. } => f.write_str("signature compatible with the incumbent's"),
            Self::Document { path } => write!(f, "document {path}"),
            Self::Role { any_of } => write!(f, "promoted by {}", alternatives(any_of)),
            Self::Approvals { count, roles, .. } => {
                write!(f, "{count} approved")?;
                if !roles.is_empty() {
                    write!(f, " by {}", alternatives(roles))?;
                }
                Ok(())
            }
            Self::Check { name, .. } => write!(f, "check {name}"),
        }
    }
}

/// Names roles of which one is enough.
pub(crate) fn alternatives(roles: &BTreeSet<Name>) -> String {
    let names: Vec<&str> = roles.iter().map(Name::as_str).collect();
    names.join(" or ")
}
