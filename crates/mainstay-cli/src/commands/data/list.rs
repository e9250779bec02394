//! `mainstay data list` and `mainstay data log`

use clap::Args;
use mainstay::data::{DatasetInfo, VersionInfo};
use mainstay::{Error, Name, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, bytes, joined, or_dash, when};

/// List the datasets
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data list")]
pub(crate) struct List {}

/// List the versions of a dataset, oldest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data log penguins")]
pub(crate) struct Log {
    /// The dataset
    name: Name,
}

#[derive(Serialize)]
struct Datasets {
    datasets: Vec<DatasetInfo>,
}

#[derive(Serialize)]
struct Versions {
    versions: Vec<VersionInfo>,
}

impl List {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let datasets = global.open().await?.data().list().await?;
        let document = Datasets { datasets };
        let output = global.output();
        output.result(&document, |out| {
            let mut table = Table::new(["dataset", "latest", "rows", "size", "made", "tags"])
                .numbers_in(&[1, 2, 3]);
            for dataset in &document.datasets {
                table.row([
                    (&dataset.dataset).into(),
                    dataset.latest.version().into(),
                    or_dash(dataset.rows).into(),
                    bytes(dataset.bytes).into(),
                    Cell::new(when(dataset.time), DIM),
                    joined(&dataset.tags).into(),
                ]);
            }
            table.write(out)
        })?;
        if document.datasets.is_empty() {
            output.note("no datasets; see mainstay data snapshot");
        }
        Ok(Answer::Yes)
    }
}

impl Log {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let versions = global.open().await?.data().log(&self.name).await?;
        if versions.is_empty() {
            return Err(Error::not_found("data", &self.name));
        }
        let document = Versions { versions };
        global.output().result(&document, |out| {
            let head = [
                "version", "rows", "columns", "size", "made", "by", "tags", "reason",
            ];
            let mut table = Table::new(head).numbers_in(&[0, 1, 2, 3]);
            for version in &document.versions {
                table.row([
                    version.version.into(),
                    or_dash(version.rows).into(),
                    version.columns.into(),
                    bytes(version.bytes).into(),
                    Cell::new(when(version.time), DIM),
                    (&version.actor).into(),
                    joined(&version.tags).into(),
                    (&version.reason).into(),
                ]);
            }
            table.write(out)
        })?;
        Ok(Answer::Yes)
    }
}
