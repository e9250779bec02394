//! What there is in a store: everything but parameters, series and files.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Error, Result};
use serde::de::DeserializeOwned;

use super::disk::{Disk, fail};
use super::location::Location;
use super::records::{DatasetFile, ExperimentFile, LoggedFile, ModelFile, RunFile, VersionFile};
use super::report::Remark;
use super::spec::ImportSpec;
use super::text::yaml;
use crate::text::MAX_TEXT_BYTES;

/// Directories of an experiment that are no runs.
const NOT_RUNS: [&str; 4] = ["tags", "datasets", "traces", "models"];

/// Where MLflow keeps registered models, and in an experiment logged models.
const MODELS: &str = "models";

/// A store.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) disk: Disk,
    /// By id.
    pub(super) experiments: BTreeMap<String, Experiment>,
    /// By id.
    pub(super) runs: BTreeMap<String, RunHead>,
    /// Logged models by id.
    pub(super) logged: BTreeMap<String, Logged>,
    /// Registered models by name.
    pub(super) models: BTreeMap<String, Model>,
    /// Where the user says that files are.
    pub(super) locations: Vec<(Location, Disk)>,
    pub(super) left_out: Vec<Remark>,
}

#[derive(Debug)]
pub(super) struct Experiment {
    pub(super) name: String,
    pub(super) folder: String,
    pub(super) location: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(super) struct RunHead {
    pub(super) id: String,
    pub(super) folder: String,
    pub(super) file: RunFile,
}

#[derive(Debug)]
pub(super) struct Logged {
    pub(super) id: String,
    pub(super) folder: String,
    pub(super) file: LoggedFile,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) tags: BTreeMap<String, String>,
    /// The numbers of the versions they point to, as text.
    pub(super) aliases: BTreeMap<String, String>,
    /// By number.
    pub(super) versions: BTreeMap<u64, Version>,
}

#[derive(Debug)]
pub(super) struct Version {
    pub(super) file: VersionFile,
    pub(super) tags: BTreeMap<String, String>,
}

impl Version {
    pub(super) fn is_deleted(&self) -> bool {
        self.file.current_stage.as_deref() == Some("Deleted_Internal")
    }

    /// Reports whether its files got where they were to be.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.file.status.as_deref(), None | Some("READY"))
    }
}

impl Store {
    pub(super) fn scan(spec: &ImportSpec) -> Result<Self> {
        let locations = spec.locations.iter();
        let mut store = Self {
            disk: Disk::open(&spec.store)?,
            experiments: BTreeMap::new(),
            runs: BTreeMap::new(),
            logged: BTreeMap::new(),
            models: BTreeMap::new(),
            locations: locations
                .map(|(uri, directory)| Ok((Location::parse(uri)?, Disk::open(directory)?)))
                .collect::<Result<_>>()?,
            left_out: Vec::new(),
        };
        for folder in store.disk.directories("")? {
            match folder.as_str() {
                MODELS => store.scan_models()?,
                ".trash" => store.leave_out(".trash", "deleted experiments"),
                _ => store.scan_experiment(&folder)?,
            }
        }
        if store.experiments.is_empty() && store.models.is_empty() {
            let why = "not an MLflow file store: neither an experiment nor a registered model";
            return Err(fail(Error::invalid(why), &spec.store));
        }
        Ok(store)
    }

    fn scan_experiment(&mut self, folder: &str) -> Result<()> {
        let Some(file) = self.meta::<ExperimentFile>(folder)? else {
            self.leave_out(folder, "no meta.yaml, so no experiment");
            return Ok(());
        };
        self.check_name(folder, &file.experiment_id, folder)?;
        if file.lifecycle_stage.as_deref() == Some("deleted") {
            self.leave_out(format!("experiment {}", file.name), "deleted");
            return Ok(());
        }
        for name in self.disk.directories(folder)? {
            if !NOT_RUNS.contains(&name.as_str()) {
                self.scan_run(&file.experiment_id, folder, &name)?;
            }
        }
        for name in self.disk.directories(&format!("{folder}/{MODELS}"))? {
            self.scan_logged(&format!("{folder}/{MODELS}/{name}"), &name)?;
        }
        if !self
            .disk
            .directories(&format!("{folder}/traces"))?
            .is_empty()
        {
            self.leave_out(format!("experiment {}", file.name), "its traces");
        }
        let experiment = Experiment {
            name: file.name,
            folder: folder.to_owned(),
            location: file.artifact_location,
            tags: self.texts(&format!("{folder}/tags"))?,
        };
        self.experiments.insert(file.experiment_id, experiment);
        Ok(())
    }

    fn scan_run(&mut self, experiment: &str, parent: &str, id: &str) -> Result<()> {
        let folder = format!("{parent}/{id}");
        let Some(file) = self.meta::<RunFile>(&folder)? else {
            self.leave_out(folder, "no meta.yaml, so no run");
            return Ok(());
        };
        let stated = file.run_id.as_ref().or(file.run_uuid.as_ref());
        self.check_name(&folder, stated.map_or(id, |stated| stated), id)?;
        self.check_name(&folder, &file.experiment_id, experiment)?;
        if file.lifecycle_stage.as_deref() == Some("deleted") {
            self.leave_out(format!("run {id}"), "deleted");
            return Ok(());
        }
        let id = id.to_owned();
        self.runs.insert(id.clone(), RunHead { id, folder, file });
        Ok(())
    }

    fn scan_logged(&mut self, folder: &str, id: &str) -> Result<()> {
        let Some(file) = self.meta::<LoggedFile>(folder)? else {
            self.leave_out(folder, "no meta.yaml, so no logged model");
            return Ok(());
        };
        self.check_name(folder, &file.model_id, id)?;
        if file.lifecycle_stage.as_deref() == Some("deleted") {
            self.leave_out(format!("logged model {id}"), "deleted");
            return Ok(());
        }
        let logged = Logged {
            id: id.to_owned(),
            folder: folder.to_owned(),
            file,
        };
        self.logged.insert(id.to_owned(), logged);
        Ok(())
    }

    /// Refuses a name of a dataset that is not in the store.
    pub(super) fn check_datasets(&self, spec: &ImportSpec) -> Result<()> {
        if spec.datasets.is_empty() {
            return Ok(());
        }
        let mut known = BTreeSet::new();
        for experiment in self.experiments.values() {
            let folder = format!("{}/datasets", experiment.folder);
            for name in self.disk.directories(&folder)? {
                let dataset = self.meta::<DatasetFile>(&format!("{folder}/{name}"))?;
                known.extend(dataset.iter().flat_map(DatasetFile::keys));
            }
        }
        match spec.datasets.keys().find(|said| !known.contains(*said)) {
            Some(unknown) => Err(Error::not_found("dataset", unknown)),
            None => Ok(()),
        }
    }

    fn scan_models(&mut self) -> Result<()> {
        for name in self.disk.directories(MODELS)? {
            let folder = format!("{MODELS}/{name}");
            let Some(file) = self.meta::<ModelFile>(&folder)? else {
                self.leave_out(folder, "no meta.yaml, so no registered model");
                continue;
            };
            self.check_name(&folder, &file.name, &name)?;
            let tags = self.texts(&format!("{folder}/tags"))?;
            if tags
                .get("mlflow.prompt.is_prompt")
                .is_some_and(|is| is == "true")
            {
                self.leave_out(format!("prompt {name}"), "prompts are not imported");
                continue;
            }
            let model = Model {
                versions: self.versions(&folder, &name)?,
                aliases: self.texts(&format!("{folder}/aliases"))?,
                description: file.description.unwrap_or_default(),
                tags,
                name: name.clone(),
            };
            if model.versions.values().all(Version::is_deleted) {
                self.leave_out(format!("model {name}"), "it has no version");
            } else {
                self.models.insert(name, model);
            }
        }
        Ok(())
    }

    fn versions(&self, folder: &str, model: &str) -> Result<BTreeMap<u64, Version>> {
        let mut versions = BTreeMap::new();
        for name in self.disk.directories(folder)? {
            let folder = format!("{folder}/{name}");
            let Some(number) = name.strip_prefix("version-") else {
                continue;
            };
            let file: VersionFile = self.meta(&folder)?.ok_or_else(|| {
                Error::not_found("version", format!("{model}/{number}")).context("path", &folder)
            })?;
            self.check_name(&folder, &file.version.to_string(), number)?;
            self.check_name(&folder, &file.name, model)?;
            let tags = self.texts(&format!("{folder}/tags"))?;
            versions.insert(file.version, Version { file, tags });
        }
        Ok(versions)
    }

    fn meta<T: DeserializeOwned>(&self, folder: &str) -> Result<Option<T>> {
        yaml(&self.disk, &format!("{folder}/meta.yaml"))
    }

    /// Reads a directory of texts, as tags are kept: a file each, named as its key.
    pub(super) fn texts(&self, folder: &str) -> Result<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        for (key, _) in self.disk.files(folder)? {
            let text = self.disk.text(&format!("{folder}/{key}"), MAX_TEXT_BYTES)?;
            texts.insert(key.as_str().to_owned(), text.unwrap_or_default());
        }
        Ok(texts)
    }

    /// Refuses a `meta.yaml` that is about something else than where it lies.
    fn check_name(&self, folder: &str, stated: &str, expected: &str) -> Result<()> {
        if stated == expected {
            return Ok(());
        }
        let error = Error::invalid("the file is about something else than where it lies")
            .context("states", stated.escape_debug())
            .context("expected", expected);
        Err(fail(
            error,
            &self.disk.root().join(folder).join("meta.yaml"),
        ))
    }

    fn leave_out(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.left_out.push(Remark::new(what, why));
    }
}
