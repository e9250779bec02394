//! `mainstay data list` and `mainstay data log`

use std::str::FromStr;

use clap::Args;
use mainstay::data::{DatasetInfo, VersionInfo};
use mainstay::{Error, Locator, Name, Result};
use serde::Serialize;

use super::moment::At;
use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, bytes, joined, or_dash, when};

/// List the datasets
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data list
  mainstay data list --at 2026-01-01T00:00:00Z")]
pub(crate) struct List {
    #[command(flatten)]
    moment: At,
}

/// List the versions of a dataset, oldest first, or those that one continues, newest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data log penguins
  mainstay data log penguins@main")]
pub(crate) struct Log {
    /// The dataset, or a version of it as name@selector
    #[arg(value_name = "NAME[@SELECTOR]")]
    of: Logged,
    #[command(flatten)]
    moment: At,
}

/// What a log is of.
#[derive(Debug, Clone)]
enum Logged {
    Dataset(Name),
    Version(Locator),
}

impl FromStr for Logged {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let locator = args::data(text)?;
        Ok(if text.contains('@') {
            Self::Version(locator)
        } else {
            Self::Dataset(locator.name)
        })
    }
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
        let datasets = self.moment.datasets(&global.open().await?).await?;
        let datasets = datasets.list().await?;
        let document = Datasets { datasets };
        let output = global.output();
        output.result(&document, |out| {
            let mut table = Table::new(["dataset", "latest", "rows", "size", "made", "names", ""])
                .numbers_in(&[1, 2, 3]);
            for dataset in &document.datasets {
                table.row([
                    (&dataset.dataset).into(),
                    dataset.latest.version().into(),
                    or_dash(dataset.rows).into(),
                    bytes(dataset.bytes).into(),
                    Cell::new(when(dataset.time), DIM),
                    joined(dataset.branches.iter().chain(&dataset.tags)).into(),
                    remark(dataset.synthetic).into(),
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
        let datasets = self.moment.datasets(&global.open().await?).await?;
        let versions = match &self.of {
            Logged::Dataset(name) => datasets.log(name).await?,
            Logged::Version(locator) => {
                let node = datasets.resolve(locator).await?;
                datasets.log_of(&node).await?
            }
        };
        let document = Versions { versions };
        global.output().result(&document, |out| {
            let head = [
                "version", "rows", "columns", "size", "made", "by", "names", "", "reason",
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
                    joined(version.branches.iter().chain(&version.tags)).into(),
                    remark(version.synthetic).into(),
                    (&version.reason).into(),
                ]);
            }
            table.write(out)
        })?;
        Ok(Answer::Yes)
    }
}

fn remark(synthetic: bool) -> &'static str {
    if synthetic { "synthetic" } else { "" }
}
