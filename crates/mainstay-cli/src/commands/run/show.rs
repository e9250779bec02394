//! `mainstay run show`

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};

use clap::Args;
use mainstay::registry::run::RunInfo;
use mainstay::{Locator, Result};

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields, Table, when};

/// Show a run and the latest points of its series
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay run show churn@1")]
pub(crate) struct Show {
    /// The run, as experiment@id
    #[arg(value_name = "RUN", value_parser = args::run)]
    reference: Locator,
}

impl Show {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let info = global.open().await?.runs().show(&self.reference).await?;
        global.output().result(&info, |out| write(&info, out))?;
        Ok(Answer::Yes)
    }
}

fn write(info: &RunInfo, out: &mut dyn Write) -> io::Result<()> {
    let record = &info.record;
    let code = record.code.as_ref().map(|code| {
        let dirty = if code.dirty { " (dirty)" } else { "" };
        format!("{}{dirty}", code.node())
    });
    let inputs = record.inputs.iter();
    let about = Some(&record.description).filter(|about| !about.is_empty());
    Fields::new()
        .with("run", Cell::new(&info.node, BOLD))
        .with("digest", info.digest)
        .with("status", record.status)
        .with("began", when(record.started))
        .with_some("ended", record.ended.map(when))
        .with_some("about", about)
        .with_all(
            "inputs",
            inputs.map(|used| format!("{}={}", used.role, used.input)),
        )
        .with_some("code", code)
        .with_some("env", record.environment.as_ref())
        .with_all("made", info.outputs.iter().map(|made| &made.output))
        .with_all("files", info.files.iter().map(|file| &file.path))
        .with_all("params", pairs(&record.parameters))
        .with_all("seeds", pairs(&record.seeds))
        .with_all("tags", pairs(&record.tags))
        .write(out)?;
    let mut table = Table::new(["metric", "latest", "step", "points", "measured"]);
    table = table.numbers_in(&[1, 2, 3]);
    for (key, series) in &info.metrics {
        table.row([
            key.into(),
            series.latest.value.into(),
            series.latest.step.into(),
            series.points.into(),
            when(series.latest.time).into(),
        ]);
    }
    if !info.metrics.is_empty() {
        writeln!(out)?;
    }
    table.write(out)
}

fn pairs<V: Display>(map: &BTreeMap<String, V>) -> impl Iterator<Item = String> {
    map.iter().map(|(key, value)| format!("{key}={value}"))
}
