//! `mainstay model import`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use mainstay::registry::mlflow::{ImportReport, ImportSpec, Imported, Outcome, Remark, Unfinished};
use mainstay::repo::View;
use mainstay::{Name, Result};

use crate::args::{self, Pair};
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;
use crate::text::{BOLD, CAUTION, Cell, DIM, PLAIN, Table};

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    Mlflow(Box<Mlflow>),
}

/// Import the runs and registered models of an MLflow file store
///
/// Each run and each version is one log entry. A second import takes what is new. What was imported is not
/// changed: where MLflow says something else by now, or a stage or an alias was moved here, that is a
/// conflict, which is told and says no. Nothing outside of the store is read but the directories of
/// --artifacts.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model import mlflow mlruns --dry-run
  mainstay model import mlflow mlruns --model-name 'price model=prices' --dead
  mainstay model import mlflow mlruns --dataset customers=payments@7
  mainstay model import mlflow mlruns --artifacts mlflow-artifacts:/=mlartifacts")]
pub(crate) struct Mlflow {
    /// The store
    #[arg(value_name = "DIR")]
    store: PathBuf,
    /// What a registered model is to be called [default: its name, with - for what a name cannot hold];
    /// may be repeated
    #[arg(long = "model-name", value_name = "MLFLOW=NAME")]
    models: Vec<Pair>,
    /// What an experiment is to be called; may be repeated
    #[arg(long = "experiment-name", value_name = "MLFLOW=NAME")]
    experiments: Vec<Pair>,
    /// The dataset version that a dataset is which runs read, named NAME@DIGEST or NAME in MLflow; may be
    /// repeated
    #[arg(long = "dataset", value_name = "MLFLOW=REF")]
    datasets: Vec<Pair>,
    /// The directory that holds the files which MLflow has at a URI; may be repeated
    #[arg(long, value_name = "URI=DIR")]
    artifacts: Vec<Pair>,
    /// Take runs that MLflow calls running as killed: their processes are dead
    #[arg(long)]
    dead: bool,
    /// Read and check everything, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Mlflow(command) => command.run(global).await,
        }
    }
}

impl Mlflow {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let spec = self.spec(&view, global).await?;
        let models = workspace.models();
        let report = models.import_mlflow(&spec).await?;
        let output = global.output();
        output.result(&report, |out| write(&report, out))?;
        if spec.dry_run {
            output.note("nothing was written");
        }
        Ok(Answer::of(report.conflicts.is_empty()))
    }

    async fn spec(self, view: &View, global: &Global) -> Result<ImportSpec> {
        let reason = global.reason(format!("import {} from MLflow", self.store.display()));
        let name = |text: &str| text.parse::<Name>();
        let mut spec = ImportSpec::new(self.store, global.actor()?, reason);
        spec.models = args::collect(self.models, "model-name", name)?;
        spec.experiments = args::collect(self.experiments, "experiment-name", name)?;
        spec.locations = args::collect(self.artifacts, "artifacts", |path| Ok(path.into()))?;
        for (dataset, reference) in args::collect(self.datasets, "dataset", args::data)? {
            spec = spec.with_dataset(dataset, resolve(view, &reference).await?);
        }
        spec.dry_run = self.dry_run;
        if self.dead {
            spec.unfinished = Unfinished::Killed;
        }
        Ok(spec)
    }
}

fn write(report: &ImportReport, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(["", "new", "unchanged", "in all"]).numbers_in(&[1, 2, 3]);
    for (what, all) in [
        ("runs", &report.runs),
        ("versions", &report.versions),
        ("stages", &report.stages),
        ("aliases", &report.aliases),
    ] {
        let count = |outcome| all.iter().filter(|one| one.outcome == outcome).count();
        let (new, unchanged) = (count(Outcome::New), count(Outcome::Unchanged));
        table.row([what.into(), new.into(), unchanged.into(), all.len().into()]);
    }
    table.write(out)?;
    let mut table = Table::new(["version", "is", ""]);
    for Imported {
        mlflow,
        node,
        outcome,
        ..
    } in &report.versions
    {
        let node = node.as_ref().map_or(String::new(), ToString::to_string);
        let outcome = match outcome {
            Outcome::Same => "the same as the one before it",
            Outcome::Unchanged => "unchanged",
            _ => "new",
        };
        table.row([
            Cell::new(mlflow, BOLD),
            node.into(),
            Cell::new(outcome, DIM),
        ]);
    }
    if !report.versions.is_empty() {
        writeln!(out)?;
    }
    table.write(out)?;
    remarks("conflicts", &report.conflicts, out)?;
    remarks("left out", &report.left_out, out)
}

fn remarks(title: &'static str, remarks: &[Remark], out: &mut dyn Write) -> io::Result<()> {
    if remarks.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let style = if title == "conflicts" { CAUTION } else { PLAIN };
    let mut table = Table::new([title, "because"]);
    for Remark { what, why, .. } in remarks {
        table.row([Cell::new(what, style), why.into()]);
    }
    table.write(out)
}
