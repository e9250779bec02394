//! A run of MLflow's as a run of ours.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Error, Name, NodeKind, NodeRef, Result, Timestamp};
use serde_json::json;

use super::disk::fail;
use super::import::Plan;
use super::location::Found;
use super::names::spelled;
use super::records::{DatasetFile, InputFile};
use super::scan::{Experiment, RunHead};
use super::series::{points, time};
use super::spec::Unfinished;
use super::text::{without_credentials, yaml};
use crate::record::CodeUse;
use crate::run::{PastRun, Point, RunSpec, RunStatus};
use crate::text::{MAX_TEXT_BYTES, check_keys};

const GIT_COMMIT: &str = "mlflow.source.git.commit";
const GIT_DIRTY: &str = "mlflow.source.git.dirty";
const GIT_REPOSITORY: &str = "mlflow.source.git.repoURL";
const NOTE: &str = "mlflow.note.content";
const USER: &str = "mlflow.user";

impl Plan {
    /// Returns what a run is called here.
    pub(super) fn run_node(&self, run: &RunHead) -> Result<NodeRef> {
        let experiment = self.experiment_of(run)?;
        let name = self.experiments.get(&experiment.name)?.clone();
        let id: Name = run.id.parse()?;
        Ok(NodeRef::new(NodeKind::Run, name, id))
    }

    fn experiment_of(&self, run: &RunHead) -> Result<&Experiment> {
        let id = &run.file.experiment_id;
        let found = self.store.experiments.get(id);
        found.ok_or_else(|| Error::not_found("experiment", id))
    }

    /// Says how a run ended; `None` when it goes on, and is to be left out.
    pub(super) fn status(&self, run: &RunHead) -> Result<Option<RunStatus>> {
        match run.file.status.as_deref() {
            Some("3" | "FINISHED") => Ok(Some(RunStatus::Finished)),
            Some("4" | "FAILED") => Ok(Some(RunStatus::Failed)),
            Some("5" | "KILLED") => Ok(Some(RunStatus::Killed)),
            // A file without it is of a run that goes on, says MLflow.
            None | Some("1" | "RUNNING" | "2" | "SCHEDULED") => Ok(match self.spec.unfinished {
                Unfinished::LeaveOut => None,
                Unfinished::Killed => Some(RunStatus::Killed),
            }),
            Some(other) => {
                let error = Error::invalid("unknown status of a run");
                Err(error.context("status", other.escape_debug()))
            }
        }
    }

    /// Reads everything of a run but its points and files; `None` when it is to be left out.
    pub(super) fn past(&self, run: &RunHead) -> Result<Option<PastRun>> {
        let read = || {
            let Some(status) = self.status(run)? else {
                return Ok(None);
            };
            let started = time(run.file.start_time)?;
            let ended = match run.file.end_time {
                Some(ended) => time(ended)?,
                None => self.last_sign(run, started)?,
            };
            Ok(Some(PastRun::new(
                self.run_spec(run, started)?,
                status,
                ended,
            )))
        };
        read().map_err(|error: Error| {
            let meta = format!("{}/meta.yaml", run.folder);
            let error = error.context("run", &run.id);
            fail(error, &self.store.disk.root().join(meta))
        })
    }

    /// Adds points and files.
    pub(super) fn fill(&self, run: &RunHead, past: PastRun) -> Result<PastRun> {
        let mut past = past.with_files(self.run_files(run)?);
        past.points = self.series(&run.folder)?;
        Ok(past)
    }

    /// Returns when a run measured last.
    fn last_sign(&self, run: &RunHead, started: Timestamp) -> Result<Timestamp> {
        let series = self.series(&run.folder)?;
        let times = series.values().flatten().map(|point| point.time);
        Ok(times.fold(started, Timestamp::max))
    }

    /// Reads the series in the directory `metrics`.
    pub(super) fn series(&self, folder: &str) -> Result<BTreeMap<String, Vec<Point>>> {
        let folder = format!("{folder}/metrics");
        let mut series = BTreeMap::new();
        for (key, _) in self.store.disk.files(&folder)? {
            let points = points(&self.store.disk, &format!("{folder}/{key}"))?;
            series.insert(key.as_str().to_owned(), points);
        }
        Ok(series)
    }

    /// Reads the directory `params`.
    pub(super) fn parameters(&self, folder: &str) -> Result<BTreeMap<String, serde_json::Value>> {
        let texts = self.store.texts(&format!("{folder}/params"))?;
        let texts = texts.into_iter();
        Ok(texts
            .map(|(key, value)| (key, without_credentials(&value).into()))
            .collect())
    }

    fn run_spec(&self, run: &RunHead, started: Timestamp) -> Result<RunSpec> {
        let node = self.run_node(run)?;
        let (actor, reason) = (self.spec.actor.clone(), self.spec.reason.clone());
        let mut spec = RunSpec::new(node.name().clone(), started, actor, reason)
            .with_id(node.version().clone());
        let tags = self.run_tags(run)?;
        spec.description = tags.get(NOTE).cloned().unwrap_or_default();
        spec.code = self.code(run, &tags)?;
        spec.parameters = self.parameters(&run.folder)?;
        spec.tags = tags;
        spec.tags.extend(self.experiment_tags(run)?);
        let used = self.used(run)?;
        spec.tags.extend(used.tags);
        spec.inputs = used.inputs;
        check_keys("tags", spec.tags.keys())?;
        Ok(spec)
    }

    fn run_tags(&self, run: &RunHead) -> Result<BTreeMap<String, String>> {
        let tags = self.store.texts(&format!("{}/tags", run.folder))?;
        let mut tags = cleaned(&tags);
        let user = run.file.user_id.as_ref();
        if let Some(user) = user.filter(|user| !user.is_empty() && *user != "unknown") {
            tags.entry(USER.to_owned()).or_insert_with(|| user.clone());
        }
        if matches!(
            run.file.status.as_deref(),
            None | Some("1" | "RUNNING" | "2" | "SCHEDULED")
        ) {
            tags.insert("mlflow.status".to_owned(), "RUNNING".to_owned());
        }
        Ok(tags)
    }

    fn experiment_tags(&self, run: &RunHead) -> Result<BTreeMap<String, String>> {
        let experiment = self.experiment_of(run)?;
        let tags = cleaned(&experiment.tags).into_iter();
        let mut tags: BTreeMap<String, String> = tags
            .map(|(key, value)| (format!("mlflow.experiment.{key}"), value))
            .collect();
        tags.insert("mlflow.experiment_name".to_owned(), experiment.name.clone());
        tags.insert(
            "mlflow.experiment_id".to_owned(),
            run.file.experiment_id.clone(),
        );
        Ok(tags)
    }

    /// Reads what the run used: datasets, and models that were logged before.
    fn used(&self, run: &RunHead) -> Result<Used> {
        let (disk, folder) = (&self.store.disk, format!("{}/inputs", run.folder));
        let experiment = &self.experiment_of(run)?.folder;
        let mut used = Used::default();
        let mut models = Vec::new();
        for name in disk.directories(&folder)? {
            let path = format!("{folder}/{name}/meta.yaml");
            let Some(input) = yaml::<InputFile>(disk, &path)? else {
                continue;
            };
            if input.source_type != "DATASET" {
                models.push(input.source_id);
                continue;
            }
            let path = format!("{experiment}/datasets/{}/meta.yaml", input.source_id);
            let dataset = yaml::<DatasetFile>(disk, &path)?
                .ok_or_else(|| Error::not_found("dataset", &path))?;
            let tags = input.tags.unwrap_or_default();
            if let Some(ours) = self.dataset(&dataset) {
                used.inputs.insert((role(&tags)?, ours.clone()));
            }
            used.tags.insert(
                format!("mlflow.dataset.{}", input.source_id),
                without_credentials(&described(&dataset, &tags)),
            );
        }
        if !models.is_empty() {
            models.sort_unstable();
            let models = models.join(",");
            used.tags.insert("mlflow.model_inputs".to_owned(), models);
        }
        Ok(used)
    }

    /// Finds the dataset here that is one of MLflow's, as the user says.
    fn dataset(&self, dataset: &DatasetFile) -> Option<&NodeRef> {
        let known = dataset.keys();
        known.iter().find_map(|key| self.spec.datasets.get(key))
    }

    /// Reads which commit made a run.
    pub(super) fn code_of(&self, run: &RunHead) -> Result<Option<CodeUse>> {
        let tags = self.store.texts(&format!("{}/tags", run.folder))?;
        self.code(run, &tags)
    }

    fn code(&self, run: &RunHead, tags: &BTreeMap<String, String>) -> Result<Option<CodeUse>> {
        let commit = tags
            .get(GIT_COMMIT)
            .and_then(|commit| commit.parse::<Name>().ok());
        let Some(commit) = commit.filter(|commit| commit.as_str() != "latest") else {
            return Ok(None);
        };
        let stated = tags.get(GIT_REPOSITORY).and_then(|url| {
            let name = url.trim_end_matches('/').rsplit(['/', ':']).next()?;
            spelled(name.strip_suffix(".git").unwrap_or(name)).ok()
        });
        let repository = match stated {
            Some(repository) => repository,
            None => self.run_node(run)?.name().clone(),
        };
        let code = CodeUse::new(repository, commit);
        let dirty = tags
            .get(GIT_DIRTY)
            .is_some_and(|dirty| dirty.eq_ignore_ascii_case("true"));
        Ok(Some(if dirty { code.dirty() } else { code }))
    }

    /// Lists the files of a run: its artifacts and the models it logged, but for those of versions.
    fn run_files(&self, run: &RunHead) -> Result<Vec<crate::FileSpec>> {
        let mut files = Vec::new();
        let logged = self.store.logged.values();
        let logged = logged.filter(|model| model.file.source_run_id.as_ref() == Some(&run.id));
        let mut places = vec![(String::new(), self.store.run_files(run)?)];
        for model in logged {
            let below = format!("models/{}/", model.id);
            places.push((below, self.store.logged_files(model)?));
        }
        for (below, found) in places {
            // Where the files are elsewhere, the report says so.
            let Found::Here(place) = found else {
                continue;
            };
            for (path, disk) in place.listed()? {
                if !disk.ancestors().any(|above| self.covered.contains(above)) {
                    let path = format!("{below}{path}").parse()?;
                    files.push(crate::FileSpec::from_disk(path, disk));
                }
            }
        }
        Ok(files)
    }
}

/// What a run used.
#[derive(Default)]
struct Used {
    tags: BTreeMap<String, String>,
    inputs: BTreeSet<(Name, NodeRef)>,
}

/// Returns the role of an input.
fn role(tags: &BTreeMap<String, String>) -> Result<Name> {
    let context = tags.get("mlflow.data.context");
    match context.and_then(|context| spelled(context).ok()) {
        Some(role) => Ok(role),
        None => "train".parse(),
    }
}

fn cleaned(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let tags = tags.iter();
    tags.map(|(key, value)| (key.clone(), without_credentials(value)))
        .collect()
}

/// Describes a dataset as JSON; without schema and profile where they are too long for a tag.
fn described(dataset: &DatasetFile, tags: &BTreeMap<String, String>) -> String {
    let mut description = json!({
        "name": dataset.name,
        "digest": dataset.digest,
        "source_type": dataset.source_type,
        "source": dataset.source,
        "schema": dataset.schema,
        "profile": dataset.profile,
        "tags": tags,
    });
    if description.to_string().len() > MAX_TEXT_BYTES
        && let Some(members) = description.as_object_mut()
    {
        members.remove("schema");
        members.remove("profile");
    }
    description.to_string()
}
