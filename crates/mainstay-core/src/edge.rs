//! Typed lineage edges.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Name, NodeRef};

/// How one thing depends on another. Every edge points from the newer thing to what it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EdgeKind {
    /// Made with it: a model used data, code, an environment (PROV `used`).
    Used,
    /// Made from an earlier thing of the same kind (PROV `wasDerivedFrom`).
    DerivedFrom,
    /// Made by a run (PROV `wasGeneratedBy`).
    GeneratedBy,
    /// Measured on it.
    EvaluatedOn,
    /// Holds it as a part: a unit contains its model (PROV `hadMember`).
    Contains,
    /// Serves it: a rollout deploys a unit.
    Deploys,
    /// Replaces it (PROV `wasRevisionOf`).
    Supersedes,
}

impl EdgeKind {
    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::DerivedFrom => "derived_from",
            Self::GeneratedBy => "generated_by",
            Self::EvaluatedOn => "evaluated_on",
            Self::Contains => "contains",
            Self::Deploys => "deploys",
            Self::Supersedes => "supersedes",
        }
    }
}

impl fmt::Display for EdgeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A dependency of the thing that carries the edge on another.
///
/// The source is the ref whose value holds the edge, so it is not repeated here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an on-storage record; a new field is a new format version"
)]
pub struct Edge {
    /// How it depends.
    pub kind: EdgeKind,
    /// On what.
    pub to: NodeRef,
    /// In which role: `train`, `validation`, `fine_tune`, the slot of a unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
}

impl Edge {
    /// Creates an edge without a role.
    #[must_use]
    pub fn new(kind: EdgeKind, to: NodeRef) -> Self {
        Self {
            kind,
            to,
            role: None,
        }
    }

    /// Sets the role.
    #[must_use]
    pub fn with_role(mut self, role: Name) -> Self {
        self.role = Some(role);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canon;

    #[test]
    fn an_edge_has_one_canonical_spelling() {
        let edge = Edge::new(EdgeKind::DerivedFrom, "model:fraud@1.0.0".parse().unwrap())
            .with_role("fine_tune".parse().unwrap());
        let bytes = canon::to_vec(&edge).unwrap();
        assert_eq!(
            bytes,
            br#"{"kind":"derived_from","role":"fine_tune","to":"model:fraud@1.0.0"}"#
        );
        assert_eq!(canon::from_slice::<Edge>(&bytes).unwrap(), edge);
    }
}
