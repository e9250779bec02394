//! `mainstay run log`

use std::path::{Path, PathBuf};

use clap::Args;
use mainstay::registry::run::{Point, RunLog};
use mainstay::registry::{Metric, files_at};
use mainstay::{Error, Locator, Result, Timestamp};
use serde::Deserialize;

use super::or_now;
use crate::args::{self, Pair, Slot};
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;

/// The longest file of points, in bytes.
const MAX_POINTS_BYTES: usize = 16 * 1024 * 1024;

/// Add points, parameters, inputs, files and tags to a run that goes on
///
/// A call is one log entry, however many points it adds. A file of points has a JSON object a line, its
/// time may be left out:
///
///   {"metric": "loss", "step": 1, "value": 0.5, "time": "2026-11-24T09:00:00Z"}
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay run log churn@1 --metric loss=0.5 --metric auc=0.9 --step 1000
  mainstay run log churn@1 --points epoch-3.jsonl
  mainstay run log churn@1 --file report.html --file plots/
  mainstay run log churn@1 --param depth=6 --input validation=payments@6 --tag reviewed=yes")]
pub(crate) struct Log {
    /// The run
    #[arg(value_name = "RUN", value_parser = args::run)]
    reference: Locator,
    /// What was measured; may be repeated
    #[arg(long = "metric", value_name = "KEY=NUMBER")]
    metrics: Vec<Pair>,
    /// The step at which it was measured
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    step: i64,
    /// When it was measured, as 2026-11-24T09:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// A file of points
    #[arg(long, value_name = "FILE")]
    points: Option<PathBuf>,
    /// A hyperparameter: a JSON scalar, or else text; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE")]
    params: Vec<Pair>,
    /// What it uses, a dataset in the role train unless said; may be repeated
    #[arg(long = "input", value_name = "[ROLE=]REF", value_parser = Slot::input)]
    inputs: Vec<Slot>,
    /// A file that it leaves, or a directory whose files are taken; may be repeated
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// A free label; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<Pair>,
    /// Remove a label; may be repeated
    #[arg(long = "untag", value_name = "KEY")]
    untags: Vec<String>,
    /// Free text, instead of what it has
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// A line of a file of points.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PointLine {
    metric: String,
    step: i64,
    value: Metric,
    time: Option<Timestamp>,
}

impl Log {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let run = resolve(&view, &self.reference).await?;
        let reason = global.reason(format!("log to {run}"));
        let mut log = RunLog::new(run, global.actor()?, reason);
        for Slot { role, reference } in &self.inputs {
            log = log.with_input(role.clone(), resolve(&view, reference).await?);
        }
        for path in &self.files {
            log = log.with_files(files_at(path).await?);
        }
        let logged = workspace.runs().log(self.fill(log)?).await?;
        let output = global.output();
        output.result(&logged, |out| {
            writeln!(out, "{} points to {}", logged.points, logged.run)
        })?;
        if logged.seq.is_none() {
            output.note("nothing had to change");
        }
        Ok(Answer::Yes)
    }

    fn fill(self, mut log: RunLog) -> Result<RunLog> {
        let now = or_now(self.at);
        for (key, value) in args::collect(self.metrics, "metric", args::number)? {
            log = log.with_point(key, Point::new(self.step, now, value));
        }
        if let Some(path) = &self.points {
            for line in read_points(path)? {
                let time = line.time.unwrap_or(now);
                log = log.with_point(line.metric, Point::new(line.step, time, line.value));
            }
        }
        log.parameters = args::collect(self.params, "param", |text| Ok(args::scalar(text)))?;
        for (key, value) in args::texts(self.tags, "tag")? {
            log = log.with_tag(key, value);
        }
        for key in self.untags {
            if log.tags.contains_key(&key) {
                return Err(Error::invalid("both set and removed").context("tag", key));
            }
            log = log.without_tag(key);
        }
        log.description = self.description;
        Ok(log)
    }
}

fn read_points(path: &Path) -> Result<Vec<PointLine>> {
    let text = args::read_text(path, MAX_POINTS_BYTES)?;
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line): (usize, _)| {
            serde_json::from_str(line).map_err(|error| {
                Error::invalid("not a point")
                    .context("path", path.display())
                    .context("line", number)
                    .with_source(error)
            })
        })
        .collect()
}
