//! What a user states about an import.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mainstay_core::{Actor, Name, NodeRef};

/// What becomes of runs that MLflow calls running or scheduled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unfinished {
    /// They wait until they are over, and so do the versions they made.
    #[default]
    LeaveOut,
    /// Their processes are dead: they are imported as killed, ended when they measured last.
    Killed,
}

/// An import of an MLflow file store.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImportSpec {
    /// The store, usually `mlruns`.
    pub store: PathBuf,
    /// What registered models are to be called, by their names in MLflow.
    pub models: BTreeMap<String, Name>,
    /// What experiments are to be called, by their names in MLflow.
    pub experiments: BTreeMap<String, Name>,
    /// Which datasets here those of MLflow are, by `name@digest` or by `name`.
    pub datasets: BTreeMap<String, NodeRef>,
    /// Directories that hold the files of which MLflow says that they are below a URI.
    pub locations: BTreeMap<String, PathBuf>,
    /// What becomes of runs that are not over.
    pub unfinished: Unfinished,
    /// Whether to report only, and to write nothing.
    pub dry_run: bool,
    /// Who imports.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

impl ImportSpec {
    /// Creates an import of everything in a store.
    #[must_use]
    pub fn new(store: impl Into<PathBuf>, actor: Actor, reason: impl Into<String>) -> Self {
        Self {
            store: store.into(),
            models: BTreeMap::new(),
            experiments: BTreeMap::new(),
            datasets: BTreeMap::new(),
            locations: BTreeMap::new(),
            unfinished: Unfinished::default(),
            dry_run: false,
            actor,
            reason: reason.into(),
        }
    }

    /// Sets what a registered model is to be called.
    #[must_use]
    pub fn with_model(mut self, mlflow: impl Into<String>, name: Name) -> Self {
        self.models.insert(mlflow.into(), name);
        self
    }

    /// Sets what an experiment is to be called.
    #[must_use]
    pub fn with_experiment(mut self, mlflow: impl Into<String>, name: Name) -> Self {
        self.experiments.insert(mlflow.into(), name);
        self
    }

    /// Says which dataset version a dataset is that runs read, by `name@digest`, or by `name` whatever the
    /// digest: the runs then use it, in the role that MLflow calls its context, or else `train`.
    #[must_use]
    pub fn with_dataset(mut self, mlflow: impl Into<String>, data: NodeRef) -> Self {
        self.datasets.insert(mlflow.into(), data);
        self
    }

    /// Says where files lie that the store has somewhere else: those at and below `uri`, as
    /// `s3://bucket/mlflow` or `mlflow-artifacts:/`, are in `directory`. The longest URI that fits counts.
    #[must_use]
    pub fn with_location(mut self, uri: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        self.locations.insert(uri.into(), directory.into());
        self
    }

    /// Sets what becomes of runs that are not over.
    #[must_use]
    pub fn with_unfinished(mut self, unfinished: Unfinished) -> Self {
        self.unfinished = unfinished;
        self
    }

    /// Reads and checks everything that would be imported, and writes nothing.
    #[must_use]
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }
}
