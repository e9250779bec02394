//! A version of a registered model as a version of ours.

use std::collections::BTreeMap;

use mainstay_core::{Error, Result};

use super::disk::fail;
use super::import::Plan;
use super::location::{Found, Place};
use super::mlmodel;
use super::records::OutputFile;
use super::scan::{Logged, Model, RunHead, Version};
use super::series::time;
use super::text::{MAX_YAML_BYTES, without_credentials, yaml};
use crate::record::Measured;
use crate::run::Point;
use crate::signature::Signature;
use crate::spec::ModelSpec;

/// The tag that holds the number of a version.
pub(super) const VERSION: &str = "mlflow.version";

/// The tags by which a version is known to be the one that was imported before.
pub(super) const IDENTITY: [&str; 4] = [
    "mlflow.model_name",
    "mlflow.created",
    "mlflow.run_id",
    "mlflow.source_path",
];

/// A version to be registered, or why it is not.
pub(super) enum Drafted {
    Ready(Box<ModelSpec>),
    LeftOut(String),
}

impl Plan {
    /// Reads a version.
    pub(super) fn version(&self, model: &Model, version: &Version) -> Result<Drafted> {
        let meta = format!(
            "models/{}/version-{}/meta.yaml",
            model.name, version.file.version
        );
        let at_meta = |error: Error| fail(error, &self.store.disk.root().join(&meta));
        let place = match self.store.version_files(version).map_err(at_meta)? {
            Found::Here(place) => place,
            Found::Elsewhere(why) => return Ok(Drafted::LeftOut(why)),
        };
        let run = self.run_of(version);
        if let Some(run) = run
            && self.status(run)?.is_none()
        {
            let why = format!("the run {} that made it goes on", run.id);
            return Ok(Drafted::LeftOut(why));
        }
        let files = place.files()?;
        if files.is_empty() {
            let error = Error::not_found("files of version", version.file.version);
            return Err(fail(error, &place.absolute()));
        }
        let name = self.models.get(&model.name)?.clone();
        let mut spec = ModelSpec::new(name, self.spec.actor.clone(), self.spec.reason.clone())
            .with_files(files)
            .with_description(version.file.description.clone().unwrap_or_default());
        spec.signature = signature(&place)?;
        spec.tags = self.version_tags(model, version).map_err(at_meta)?;
        let logged = self.logged_of(version);
        if let Some(run) = run {
            spec = self.with_run(spec, run, logged)?;
        }
        let described = [
            logged.map(|logged| &logged.folder),
            run.map(|run| &run.folder),
        ];
        for folder in described.into_iter().flatten() {
            let (parameters, series) = (self.parameters(folder)?, self.series(folder)?);
            if !parameters.is_empty() || !series.is_empty() {
                spec.parameters = parameters;
                spec.metrics = latest(&series);
                break;
            }
        }
        Ok(Drafted::Ready(Box::new(spec)))
    }

    fn with_run(
        &self,
        spec: ModelSpec,
        run: &RunHead,
        logged: Option<&Logged>,
    ) -> Result<ModelSpec> {
        let node = self.run_node(run)?;
        let step = match logged {
            Some(logged) => {
                let path = format!("{}/outputs/{}/meta.yaml", run.folder, logged.id);
                yaml::<OutputFile>(&self.store.disk, &path)?.and_then(|output| output.step)
            }
            None => None,
        };
        // MLflow's 0 is also what stands there when nobody said a step.
        let mut spec = match step.filter(|step| *step != 0) {
            Some(step) => spec.with_checkpoint(node, step),
            None => spec.with_run(node),
        };
        spec.code = self.code_of(run)?;
        Ok(spec)
    }

    fn logged_of(&self, version: &Version) -> Option<&Logged> {
        let file = &version.file;
        let source = file.source.as_deref().unwrap_or_default();
        let id = file
            .model_id
            .as_deref()
            .or(source.strip_prefix("models:/"))?;
        self.store.logged.get(id)
    }

    /// Finds the run that made a version, if it is in the store.
    fn run_of(&self, version: &Version) -> Option<&RunHead> {
        let of_model = self.logged_of(version);
        let of_model = of_model.and_then(|logged| logged.file.source_run_id.as_ref());
        let id = version.file.run_id.as_ref().or(of_model)?;
        self.store.runs.get(id)
    }

    /// Returns the tags of a version: its own, those of its model, and what MLflow knows it by.
    pub(super) fn version_tags(
        &self,
        model: &Model,
        version: &Version,
    ) -> Result<BTreeMap<String, String>> {
        let file = &version.file;
        let mut tags = version.tags.clone();
        for (key, value) in &model.tags {
            tags.insert(format!("mlflow.model.{key}"), value.clone());
        }
        let run = self.run_of(version).map(|run| &run.id);
        let known = [
            ("mlflow.model_name", Some(model.name.clone())),
            (VERSION, Some(file.version.to_string())),
            (
                "mlflow.created",
                Some(time(file.creation_timestamp)?.to_string()),
            ),
            ("mlflow.run_id", file.run_id.as_ref().or(run).cloned()),
            ("mlflow.source_path", file.source.clone()),
            ("mlflow.model_id", file.model_id.clone()),
            ("mlflow.run_link", file.run_link.clone()),
            ("mlflow.user", file.user_id.clone()),
            ("mlflow.model_description", Some(model.description.clone())),
        ];
        for (key, value) in known {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                tags.insert(key.to_owned(), value);
            }
        }
        for value in tags.values_mut() {
            *value = without_credentials(value);
        }
        Ok(tags)
    }
}

/// Returns the latest value of each series.
fn latest(series: &BTreeMap<String, Vec<Point>>) -> BTreeMap<String, Measured> {
    let latest = |points: &Vec<Point>| {
        points
            .iter()
            .max_by_key(|point| (point.step, point.time))
            .copied()
    };
    let series = series.iter();
    series
        .filter_map(|(key, points)| Some((key.clone(), Measured::new(latest(points)?.value))))
        .collect()
}

/// Reads the signature in the `MLmodel` of a model, if it states one.
fn signature(place: &Place) -> Result<Option<Signature>> {
    let path = place.path(mlmodel::MLMODEL);
    let Some(text) = place.disk().text(&path, MAX_YAML_BYTES)? else {
        return Ok(None);
    };
    mlmodel::signature(&text).map_err(|error| fail(error, &place.disk().root().join(path)))
}
