//! Facts: known, absent, failed and not collected are four different things.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcome of looking for one fact.
///
/// In JSON: `{"known": …}`, `"absent"`, `{"failed": "…"}`, `"not_collected"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "an on-storage record; a new outcome is a new format version"
)]
pub enum Fact<T> {
    /// It was found.
    Known(T),
    /// It was looked for and is not there.
    Absent,
    /// It could not be looked for, or makes no sense.
    Failed(Failure),
    /// It was not looked for.
    NotCollected,
}

/// Why a fact could not be established; without paths or system messages, so that it is the same
/// on every machine. The details are in the [`ProbeReport`](crate::ProbeReport).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "an on-storage record; a new reason is a new format version"
)]
pub enum Failure {
    /// Reading it is not permitted.
    Denied,
    /// It is larger than what is read of such a file.
    TooLarge,
    /// It does not have the form it should.
    Malformed,
    /// The system failed to read it.
    Unreadable,
}

impl Failure {
    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Unreadable => "unreadable",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<T> Fact<T> {
    /// Returns the value when it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// Reports whether it is established: known or absent.
    pub const fn is_established(&self) -> bool {
        matches!(self, Self::Known(_) | Self::Absent)
    }

    /// Applies `f` to the value when it is known.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(f(value)),
            Self::Absent => Fact::Absent,
            Self::Failed(failure) => Fact::Failed(failure),
            Self::NotCollected => Fact::NotCollected,
        }
    }

    /// Returns the outcome without the value: `known`, `absent`, `failed` or `not_collected`.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Known(_) => "known",
            Self::Absent => "absent",
            Self::Failed(_) => "failed",
            Self::NotCollected => "not_collected",
        }
    }
}
