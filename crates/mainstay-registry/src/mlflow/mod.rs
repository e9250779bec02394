//! Import of an MLflow file store: `mlruns/` with its runs and registered models.
//!
//! ```no_run
//! use mainstay_core::Actor;
//! use mainstay_registry::Registry;
//! use mainstay_registry::mlflow::{ImportSpec, Outcome};
//!
//! # async fn example(registry: Registry) -> mainstay_core::Result<()> {
//! let spec = ImportSpec::new("mlruns", Actor::new("ada")?, "move from MLflow");
//! let planned = registry.import_mlflow(&spec.clone().dry_run()).await?;
//! assert!(planned.conflicts.is_empty());
//! registry.import_mlflow(&spec).await?;
//! // A second time there is nothing left to do.
//! let again = registry.import_mlflow(&spec).await?;
//! assert!(again.runs.iter().all(|run| run.outcome == Outcome::Unchanged));
//! # Ok(()) }
//! ```
//!
//! | of MLflow | becomes |
//! |---|---|
//! | a run | `run:<experiment>@<run id>`, whole in one log entry: parameters (as the text they are), series, status, times, tags, files |
//! | its experiment, and what it read | tags of the run: `mlflow.experiment_name`, `mlflow.experiment.<tag>`, `mlflow.dataset.<id>` as JSON |
//! | a dataset of which [`ImportSpec::with_dataset`] says which one here it is | an input of the run |
//! | its Git commit | the code of the run, and of the versions that it made |
//! | a registered model's version | a version, in one log entry: its files, the signature of its `MLmodel`, tags, description, its run, the parameters and latest metrics of the logged model, or else of the run |
//! | its number, source and time | the tags `mlflow.version`, `mlflow.source_path`, `mlflow.created`; the semantic version follows from the differences |
//! | tags and description of the registered model | tags of its versions: `mlflow.model.<tag>`, `mlflow.model_description` |
//! | stage, alias | stage, alias |
//! | a logged model that is not registered | files of its run, below `models/<model id>/` |
//!
//! Names that are no [`Name`](mainstay_core::Name) are spelled as one, `price model` as `price-model`, and
//! kept in a tag. What has no place here, or is not in the store, is in [`ImportReport::left_out`].
//!
//! Importing again imports what is new. What was imported is never changed: where MLflow says something
//! else by now, or somebody here moved a stage or an alias, [`ImportReport::conflicts`] names it. A run and a
//! version are known by their ids and numbers; files are not read again.
//!
//! The store is read as foreign bytes: text and YAML of bounded size and depth; no symbolic link is
//! followed, and no path in it leads out of it. Files elsewhere are read only where
//! [`ImportSpec::with_location`] says where they are. Credentials in URLs are dropped.
//!
//! Not imported: traces, prompts, deleted things.
//!
//! Of a model that MLflow wrote and nobody registered there,
//! [`Registry::mlmodel_signature`](crate::Registry::mlmodel_signature) reads what it takes and gives.

mod disk;
mod import;
mod location;
mod mlmodel;
mod names;
mod pointers;
mod records;
mod report;
mod run;
mod scan;
mod series;
mod spec;
mod text;
mod version;

pub(crate) use import::import;
pub(crate) use mlmodel::of_spec;
pub use report::{ImportReport, Imported, Outcome, Remark};
pub use spec::{ImportSpec, Unfinished};

#[cfg(test)]
mod tests;
