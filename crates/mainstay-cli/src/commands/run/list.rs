//! `mainstay run list`

use clap::Args;
use mainstay::registry::run::RunInfo;
use mainstay::{Name, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, joined, or_dash, when};

/// List the runs, those of one experiment oldest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay run list
  mainstay run list churn")]
pub(crate) struct List {
    /// List the runs of this experiment
    experiment: Option<Name>,
}

#[derive(Serialize)]
struct Document {
    runs: Vec<RunInfo>,
}

impl List {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let runs = global.open().await?.runs();
        let document = Document {
            runs: runs.list(self.experiment.as_ref()).await?,
        };
        let output = global.output();
        output.result(&document, |out| table(&document.runs).write(out))?;
        if document.runs.is_empty() {
            output.note("no runs; see mainstay run start");
        }
        Ok(Answer::Yes)
    }
}

/// Makes a table of runs.
pub(super) fn table(runs: &[RunInfo]) -> Table<5> {
    let mut table = Table::new(["run", "status", "began", "ended", "metrics"]);
    for run in runs {
        let latest = run.metrics.iter();
        let latest = latest.map(|(key, series)| format!("{key}={}", series.latest.value));
        table.row([
            (&run.node).into(),
            run.record.status.into(),
            Cell::new(when(run.record.started), DIM),
            Cell::new(or_dash(run.record.ended.map(when)), DIM),
            joined(latest).into(),
        ]);
    }
    table
}
