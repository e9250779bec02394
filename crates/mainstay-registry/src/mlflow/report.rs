//! What an import did.

use mainstay_core::{Error, NodeRef};
use serde::Serialize;

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ImportReport {
    /// The runs, by experiment.
    pub runs: Vec<Imported>,
    /// The model versions, as `churn/3`.
    pub versions: Vec<Imported>,
    /// The stages of versions, as `churn/3 Production`; those in none are not listed.
    pub stages: Vec<Imported>,
    /// The aliases, as `churn@champion`.
    pub aliases: Vec<Imported>,
    /// What is here already and is not what MLflow says; it stays as it is.
    pub conflicts: Vec<Remark>,
    /// What was not imported.
    pub left_out: Vec<Remark>,
}

/// One thing of MLflow's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// What MLflow calls it.
    pub mlflow: String,
    /// What it is here; `None` for a version that a dry run would register.
    pub node: Option<NodeRef>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It was imported now.
    New,
    /// It was imported before, and is the same.
    Unchanged,
    /// It has the files, signature and inputs of the version before it, and is that version.
    Same,
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Remark {
    /// What it is about, as MLflow calls it.
    pub what: String,
    /// What is to know.
    pub why: String,
}

impl ImportReport {
    pub(super) fn conflict(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.conflicts.push(Remark::new(what, why));
    }

    pub(super) fn conflict_of(&mut self, what: impl Into<String>, error: &Error) {
        let context: Vec<String> = error
            .contexts()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        let why = match &context[..] {
            [] => error.message().to_owned(),
            context => format!("{} ({})", error.message(), context.join(", ")),
        };
        self.conflict(what, why);
    }

    pub(super) fn leave_out(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.left_out.push(Remark::new(what, why));
    }
}

impl Imported {
    pub(super) fn new(mlflow: impl Into<String>, node: Option<NodeRef>, outcome: Outcome) -> Self {
        Self {
            mlflow: mlflow.into(),
            node,
            outcome,
        }
    }
}

impl Remark {
    pub(super) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
        }
    }
}
