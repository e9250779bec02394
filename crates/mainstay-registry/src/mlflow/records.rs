//! The YAML files of a store, as far as they are read. What MLflow adds later is passed over.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `<experiment>/meta.yaml`
#[derive(Debug, Deserialize)]
pub(super) struct ExperimentFile {
    pub(super) experiment_id: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) artifact_location: Option<String>,
    #[serde(default)]
    pub(super) lifecycle_stage: Option<String>,
}

/// `<experiment>/<run>/meta.yaml`
#[derive(Debug, Deserialize)]
pub(super) struct RunFile {
    #[serde(default)]
    pub(super) run_id: Option<String>,
    /// What `run_id` was called before MLflow 1.0.
    #[serde(default)]
    pub(super) run_uuid: Option<String>,
    pub(super) experiment_id: String,
    /// A number, and in early stores its name.
    #[serde(default)]
    pub(super) status: Option<String>,
    pub(super) start_time: i64,
    #[serde(default)]
    pub(super) end_time: Option<i64>,
    #[serde(default)]
    pub(super) lifecycle_stage: Option<String>,
    #[serde(default)]
    pub(super) user_id: Option<String>,
    #[serde(default)]
    pub(super) artifact_uri: Option<String>,
}

/// `<experiment>/datasets/<id>/meta.yaml`
#[derive(Debug, Deserialize)]
pub(super) struct DatasetFile {
    pub(super) name: String,
    pub(super) digest: String,
    #[serde(default)]
    pub(super) source_type: Option<String>,
    #[serde(default)]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) schema: Option<String>,
    #[serde(default)]
    pub(super) profile: Option<String>,
}

impl DatasetFile {
    /// Returns what a user calls it, the exact form first.
    pub(super) fn keys(&self) -> [String; 2] {
        [format!("{}@{}", self.name, self.digest), self.name.clone()]
    }
}

/// `<experiment>/<run>/inputs/<id>/meta.yaml`
#[derive(Debug, Deserialize)]
pub(super) struct InputFile {
    pub(super) source_type: String,
    pub(super) source_id: String,
    #[serde(default)]
    pub(super) tags: Option<BTreeMap<String, String>>,
}

/// `<experiment>/<run>/outputs/<model>/meta.yaml`
#[derive(Debug, Deserialize)]
pub(super) struct OutputFile {
    #[serde(default)]
    pub(super) step: Option<i64>,
}

/// `<experiment>/models/<model>/meta.yaml`
#[derive(Debug, Deserialize)]
pub(super) struct LoggedFile {
    pub(super) model_id: String,
    #[serde(default)]
    pub(super) artifact_location: Option<String>,
    #[serde(default)]
    pub(super) source_run_id: Option<String>,
    #[serde(default)]
    pub(super) lifecycle_stage: Option<String>,
}

/// `models/<name>/meta.yaml`
#[derive(Debug, Deserialize)]
pub(super) struct ModelFile {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: Option<String>,
}

/// `models/<name>/version-<number>/meta.yaml`
#[derive(Debug, Deserialize)]
pub(super) struct VersionFile {
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) creation_timestamp: i64,
    #[serde(default)]
    pub(super) current_stage: Option<String>,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) source: Option<String>,
    #[serde(default)]
    pub(super) storage_location: Option<String>,
    #[serde(default)]
    pub(super) run_id: Option<String>,
    #[serde(default)]
    pub(super) run_link: Option<String>,
    #[serde(default)]
    pub(super) model_id: Option<String>,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) user_id: Option<String>,
}

/// `MLmodel`, at the top of the files of a model
#[derive(Debug, Deserialize)]
pub(super) struct MlmodelFile {
    #[serde(default)]
    pub(super) signature: Option<serde_json::Value>,
}
