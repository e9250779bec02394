//! `mainstay model list`

use clap::Args;
use mainstay::registry::{self, ModelInfo, ModelSummary};
use mainstay::{Error, Name, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, joined, when};

/// List the models, or the versions of one, oldest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model list
  mainstay model list fraud
  mainstay model list --at 2026-01-01T00:00:00Z")]
pub(crate) struct List {
    /// List the versions of this model
    model: Option<Name>,
    #[command(flatten)]
    moment: At,
}

#[derive(Serialize)]
struct Models {
    models: Vec<ModelSummary>,
}

#[derive(Serialize)]
struct Versions {
    versions: Vec<ModelInfo>,
}

impl List {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match &self.model {
            Some(model) => versions(global, model, &self.moment).await,
            None => models(global, &self.moment).await,
        }
    }
}

async fn models(global: &Global, moment: &At) -> Result<Answer> {
    let view = moment.view(&global.open().await?).await?;
    let models = view.read(registry::list).await?;
    let document = Models { models };
    let output = global.output();
    output.result(&document, |out| {
        let head = ["model", "latest", "versions", "made", "stages", "aliases"];
        let mut table = Table::new(head).numbers_in(&[2]);
        for model in &document.models {
            let named =
                |name: (&Name, &mainstay::NodeRef)| format!("{}={}", name.0, name.1.version());
            table.row([
                (&model.model).into(),
                model.latest.version().into(),
                model.versions.into(),
                Cell::new(when(model.registered), DIM),
                joined(model.stages.iter().map(named)).into(),
                joined(model.aliases.iter().map(named)).into(),
            ]);
        }
        table.write(out)
    })?;
    if document.models.is_empty() {
        output.note("no models; see mainstay model register");
    }
    Ok(Answer::Yes)
}

async fn versions(global: &Global, model: &Name, moment: &At) -> Result<Answer> {
    let view = moment.view(&global.open().await?).await?;
    let versions = view.read(|view| registry::versions(view, model)).await?;
    if versions.is_empty() {
        return Err(Error::not_found("model", model));
    }
    let document = Versions { versions };
    global.output().result(&document, |out| {
        let mut table = Table::new(["version", "stage", "made", "aliases", "metrics"]);
        for version in &document.versions {
            let metrics = version
                .metrics
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            table.row([
                version.version().into(),
                (&version.stage).into(),
                Cell::new(when(version.registered), DIM),
                joined(&version.aliases).into(),
                joined(metrics).into(),
            ]);
        }
        table.write(out)
    })?;
    Ok(Answer::Yes)
}
