//! Comparing two environments under a policy.

use std::fmt;
use std::str::FromStr;

use mainstay_core::Error;
use serde::Serialize;

use crate::EnvManifest;

mod differences;
mod hardware;
mod packages;
mod rules;
mod software;

#[cfg(test)]
mod tests;

pub use packages::{NUMERIC_PACKAGES, is_numeric};
pub use rules::{RULES, Rule};

use differences::{Difference, Differences};

/// How equal the environment must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Results must be the same to the bit.
    Bitwise,
    /// Results must be the same within numeric tolerance: same accuracy, other rounding.
    Numeric,
    /// The model must load and run.
    Serve,
}

impl Policy {
    /// Returns the printed form: `bitwise`, `numeric` or `serve`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bitwise => "bitwise",
            Self::Numeric => "numeric",
            Self::Serve => "serve",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Bitwise, Self::Numeric, Self::Serve]
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| {
                Error::invalid("unknown policy; one of bitwise, numeric, serve")
                    .context("policy", text.escape_debug())
            })
    }
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "note, warn or fail")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// May break what the policy asks for.
    Warning,
    /// Breaks what the policy asks for.
    Error,
}

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a gate opens, warns or stays shut")]
pub enum Verdict {
    /// Nothing graver than a note.
    Pass,
    /// At least one warning.
    Warn,
    /// At least one error.
    Fail,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The outcome.
    pub verdict: Verdict,
    /// The findings, gravest first, then by path.
    pub findings: Vec<Finding>,
}

/// One difference that the policy does not ignore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The rule: an id of [`RULES`].
    pub rule: &'static str,
    /// How grave it is under the policy.
    pub severity: Severity,
    /// What differs, as `packages.numpy`.
    pub path: String,
    /// The first environment's value; `None` when it has none.
    pub a: Option<String>,
    /// The second environment's value; `None` when it has none.
    pub b: Option<String>,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub fix: String,
}

/// Compares `b`, where something shall run, with `a`, where it was made.
///
/// A fact that is not established on either side is a finding of its own: unknown is never equal.
/// So under [`Policy::Bitwise`] a manifest does not even pass against itself unless everything was
/// captured. The rules and their grades are [`RULES`].
#[must_use]
pub fn compare(a: &EnvManifest, b: &EnvManifest, policy: Policy) -> Report {
    let mut differences = Differences::default();
    hardware::compare(&mut differences, &a.identity, &b.identity);
    software::compare(&mut differences, &a.identity, &b.identity);
    packages::compare(&mut differences, &a.identity, &b.identity);
    let mut findings: Vec<Finding> = differences
        .into_iter()
        .filter_map(|difference| grade(difference, policy))
        .collect();
    findings.sort_by(|x, y| {
        let key = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.path.clone());
        key(x).cmp(&key(y))
    });
    let verdict = match findings.first().map(|finding| finding.severity) {
        Some(Severity::Error) => Verdict::Fail,
        Some(Severity::Warning) => Verdict::Warn,
        _ => Verdict::Pass,
    };
    Report { verdict, findings }
}

fn grade(difference: Difference, policy: Policy) -> Option<Finding> {
    let rule = difference.rule.rule();
    let severity = match policy {
        Policy::Bitwise => rule.bitwise,
        Policy::Numeric => rule.numeric,
        Policy::Serve => rule.serve,
    }?;
    Some(Finding {
        rule: rule.id,
        severity,
        path: difference.path,
        a: difference.a,
        b: difference.b,
        why: rule.why,
        fix: difference.fix.unwrap_or_else(|| rule.fix.to_owned()),
    })
}
