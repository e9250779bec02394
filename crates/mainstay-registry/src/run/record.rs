//! The stored record of a run. Normative description: `docs/formats/run.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use mainstay_core::{
    Digest, Edge, EdgeKind, Error, ErrorKind, Name, NodeKind, NodeRef, Result, Timestamp,
};
use mainstay_repo::{Value, View};
use serde::{Deserialize, Serialize};

use crate::record::{CodeUse, decimal_text};
use crate::reproducibility::stored;

/// The format this module writes and the newest it reads.
pub(super) const FORMAT: u32 = 1;

/// A run: its record changes while it is [`Running`](RunStatus::Running), and never after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Run {
    /// The format of this record.
    pub format: u32,
    /// The experiment.
    pub experiment: Name,
    /// What the run is called within its experiment.
    pub id: Name,
    /// Whether it goes on, and how it ended.
    pub status: RunStatus,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Its hyperparameters: JSON scalars. One that is set is not set to anything else.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// The seeds of its random numbers; decimal text in JSON, because they use all 64 bits.
    #[serde(with = "decimal_text")]
    pub seeds: BTreeMap<String, u64>,
    /// The code that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<CodeUse>,
    /// The environment it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<NodeRef>,
    /// What it used, sorted by role.
    pub inputs: Vec<RunInput>,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// Free text.
    pub description: String,
}

/// Something a run used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RunInput {
    /// Its role, as `train`.
    pub role: Name,
    /// The version: of a dataset, a model or a prompt.
    pub input: NodeRef,
    /// The digest of that version's record.
    pub record: Digest,
}

/// Whether a run goes on, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunStatus {
    /// It goes on, as far as anybody said.
    Running,
    /// It ended as it should.
    Finished,
    /// It ended with a failure.
    Failed,
    /// Somebody ended it.
    Killed,
}

impl RunStatus {
    const ALL: [Self; 4] = [Self::Running, Self::Finished, Self::Failed, Self::Killed];

    /// Returns the printed form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Killed => "killed",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut known = Self::ALL.into_iter();
        known.find(|known| known.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("unknown status of a run; one of {known}"))
                .context("status", text.escape_debug())
        })
    }
}

impl Run {
    /// The kind of the [`Value`] that holds the record.
    pub const KIND: &'static str = "run";

    /// Reads the record from the value of a run's ref.
    ///
    /// # Errors
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer format wrote it,
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when it is not a run.
    pub fn from_value(value: &Value) -> Result<Self> {
        Self::check_value(value)?;
        value.decode(Self::KIND)
    }

    /// Refuses a value that does not say that it is a run in a format that is known.
    pub(crate) fn check_value(value: &Value) -> Result<()> {
        value.check_format(Self::KIND, u64::from(FORMAT))
    }

    /// Returns the run as a node of the lineage.
    #[must_use]
    pub fn node(&self) -> NodeRef {
        NodeRef::new(NodeKind::Run, self.experiment.clone(), self.id.clone())
    }

    pub(super) fn to_value(&self) -> Result<Value> {
        let mut edges = Vec::new();
        for used in &self.inputs {
            edges.push(Edge::new(EdgeKind::Used, used.input.clone()).with_role(used.role.clone()));
        }
        if let Some(code) = &self.code {
            edges.push(Edge::new(EdgeKind::Used, code.node()).with_role("code".parse()?));
        }
        if let Some(environment) = &self.environment {
            let edge = Edge::new(EdgeKind::Used, environment.clone());
            edges.push(edge.with_role("environment".parse()?));
        }
        Ok(Value::new(Self::KIND, self)?.with_edges(edges))
    }

    /// Refuses a run that has ended.
    pub(super) fn check_running(&self) -> Result<()> {
        if self.status == RunStatus::Running {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, "the run has ended")
            .context("run", self.node())
            .context("status", self.status))
    }

    /// Adds inputs to those it has.
    pub(super) fn use_inputs(
        &mut self,
        view: &View,
        inputs: &BTreeSet<(Name, NodeRef)>,
    ) -> Result<()> {
        let mut all: BTreeSet<RunInput> = self.inputs.drain(..).collect();
        for (role, input) in inputs {
            all.insert(RunInput {
                role: role.clone(),
                input: input.clone(),
                record: stored(view, input)?.record_digest()?,
            });
        }
        self.inputs = all.into_iter().collect();
        Ok(())
    }
}
