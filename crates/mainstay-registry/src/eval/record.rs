//! The stored record of an evaluation. Normative description: `docs/formats/evaluation.md`.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Edge, EdgeKind, Name, NodeKind, NodeRef, RefPath, Result};
use mainstay_repo::Value;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::record::CodeUse;

/// The format this module writes and the newest it reads.
pub(super) const FORMAT: u32 = 1;

/// What was measured of one version: immutable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EvalReport {
    /// The format of this record.
    pub format: u32,
    /// The evaluation.
    pub evaluation: Name,
    /// Its number among the reports of the evaluation, from 1.
    pub number: u64,
    /// What was evaluated: a model, a prompt or a unit.
    pub subject: NodeRef,
    /// The digest of its record.
    pub record: Digest,
    /// The dataset it was evaluated on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<NodeRef>,
    /// The run that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<NodeRef>,
    /// The code that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeUse>,
    /// What was measured on all of the data.
    pub metrics: BTreeMap<String, Metric>,
    /// What was measured on parts of it, by the name of the part.
    pub slices: BTreeMap<String, BTreeMap<String, Metric>>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// Free text.
    pub description: String,
}

impl EvalReport {
    /// The kind of the [`Value`] that holds the record.
    pub const KIND: &'static str = "eval.report";

    /// Reads the record from the value of a report's ref.
    ///
    /// # Errors
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer format wrote it,
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when it is not a report.
    pub fn from_value(value: &Value) -> Result<Self> {
        value.check_format(Self::KIND, u64::from(FORMAT))?;
        value.decode(Self::KIND)
    }

    pub(super) fn to_value(&self) -> Result<Value> {
        let role = |role: &str| role.parse::<Name>();
        let subject = Edge::new(EdgeKind::Used, self.subject.clone());
        let mut edges = vec![subject.with_role(role("subject")?)];
        if let Some(data) = &self.data {
            let edge = Edge::new(EdgeKind::EvaluatedOn, data.clone());
            edges.push(edge.with_role(role("evaluation")?));
        }
        if let Some(run) = &self.run {
            edges.push(Edge::new(EdgeKind::GeneratedBy, run.clone()));
        }
        if let Some(code) = &self.code {
            edges.push(Edge::new(EdgeKind::Used, code.node()).with_role(role("code")?));
        }
        Ok(Value::new(Self::KIND, self)?.with_edges(edges))
    }
}

/// The entry of a report beside what was evaluated, so that it is found from there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) format: u32,
    pub(super) eval: NodeRef,
}

impl Entry {
    pub(super) const KIND: &'static str = "eval.entry";

    /// `<kind>/<name>/report/<version>/<evaluation>/<number>`
    pub(super) fn path(subject: &NodeRef, eval: &NodeRef) -> Result<RefPath> {
        RefPath::from_names(&[
            subject.kind().as_str().parse()?,
            subject.name().clone(),
            "report".parse()?,
            subject.version().clone(),
            eval.name().clone(),
            eval.version().clone(),
        ])
    }

    pub(super) fn prefix(subject: &NodeRef) -> String {
        format!(
            "{}/{}/report/{}",
            subject.kind(),
            subject.name(),
            subject.version()
        )
    }
}

/// What may be evaluated.
pub(super) const SUBJECTS: [NodeKind; 3] = [NodeKind::Model, NodeKind::Prompt, NodeKind::Unit];
