//! Typed lineage edges.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Name, NodeKind, NodeRef, Result};

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
    /// Somebody answers for it (PROV `wasAttributedTo`).
    AttributedTo,
}

impl EdgeKind {
    /// Every kind, in order.
    pub const ALL: [Self; 8] = [
        Self::Used,
        Self::DerivedFrom,
        Self::GeneratedBy,
        Self::EvaluatedOn,
        Self::Contains,
        Self::Deploys,
        Self::Supersedes,
        Self::AttributedTo,
    ];

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
            Self::AttributedTo => "attributed_to",
        }
    }

    /// Reports whether an edge of this kind may go from a thing of kind `from` to one of kind `to`.
    ///
    /// | edge | from | to |
    /// |---|---|---|
    /// | `used` | data, split, model, prompt, env, run, eval, unit, experiment, rollout, deployment | data, split, model, prompt, env, code, run, eval, unit |
    /// | `derived_from` | any but code, agent | the same kind; data and split also from each other |
    /// | `generated_by` | data, split, model, prompt, env, run, eval | run |
    /// | `evaluated_on` | model, prompt, run, eval, unit | data, split, eval |
    /// | `contains` | data, run, unit, experiment | data, split, model, prompt, env, code, run, eval, unit |
    /// | `deploys` | channel, rollout, experiment, deployment | unit, model, prompt |
    /// | `supersedes` | any but code, agent | the same kind |
    /// | `attributed_to` | any but code, agent | agent |
    #[must_use]
    pub const fn joins(self, from: NodeKind, to: NodeKind) -> bool {
        use NodeKind::{
            Channel, Code, Data, Deployment, Env, Eval, Experiment, Model, Prompt, Rollout, Run,
            Split, Unit,
        };
        let same = from as u8 == to as u8;
        let is_part = matches!(
            to,
            Data | Split | Model | Prompt | Env | Code | Run | Eval | Unit
        );
        !from.is_external()
            && match self {
                Self::Used => is_part && !matches!(from, Channel),
                Self::DerivedFrom => same || matches!((from, to), (Data, Split) | (Split, Data)),
                Self::GeneratedBy => {
                    let is_result =
                        matches!(from, Data | Split | Model | Prompt | Env | Run | Eval);
                    is_result && matches!(to, Run)
                }
                Self::EvaluatedOn => {
                    let is_measured = matches!(from, Model | Prompt | Run | Eval | Unit);
                    is_measured && matches!(to, Data | Split | Eval)
                }
                Self::Contains => is_part && matches!(from, Data | Run | Unit | Experiment),
                Self::Deploys => {
                    let is_deploying = matches!(from, Channel | Rollout | Experiment | Deployment);
                    is_deploying && matches!(to, Unit | Model | Prompt)
                }
                Self::Supersedes => same,
                Self::AttributedTo => matches!(to, NodeKind::Agent),
            }
    }
}

impl FromStr for EdgeKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                Error::invalid(format!("unknown kind of edge; one of {known}"))
                    .context("edge", text.escape_debug())
            })
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
    fn every_kind_round_trips() {
        for kind in EdgeKind::ALL {
            assert_eq!(kind.as_str().parse::<EdgeKind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert!(EdgeKind::ALL.is_sorted());
        assert!("Used".parse::<EdgeKind>().is_err());
    }

    /// The table in the documentation of [`EdgeKind::joins`], read.
    #[test]
    fn what_an_edge_may_join_is_what_the_table_says() {
        let source = include_str!("edge.rs");
        let rows = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix("/// | `"));
        let mut read = 0;
        for row in rows {
            let [kind, from, to, ..] = row.split(" | ").collect::<Vec<_>>()[..] else {
                panic!("{row}");
            };
            let kind: EdgeKind = kind.trim_end_matches('`').parse().unwrap();
            let to = to.trim_end_matches(" |");
            let list = |text: &str| -> Vec<NodeKind> {
                match text {
                    "any but code, agent" => {
                        let inside = |kind: &NodeKind| !kind.is_external();
                        NodeKind::ALL.into_iter().filter(inside).collect()
                    }
                    text => text.split(", ").map(|kind| kind.parse().unwrap()).collect(),
                }
            };
            for source in NodeKind::ALL {
                for target in NodeKind::ALL {
                    let same = source == target;
                    let crossed = [
                        (NodeKind::Data, NodeKind::Split),
                        (NodeKind::Split, NodeKind::Data),
                    ]
                    .contains(&(source, target));
                    let fits = match to {
                        "the same kind" => same,
                        "the same kind; data and split also from each other" => same || crossed,
                        to => list(to).contains(&target),
                    };
                    let expected = list(from).contains(&source) && fits;
                    assert_eq!(
                        kind.joins(source, target),
                        expected,
                        "{source} {kind} {target}"
                    );
                }
            }
            read += 1;
        }
        assert_eq!(read, EdgeKind::ALL.len());
    }

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
