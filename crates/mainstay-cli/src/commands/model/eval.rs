//! `mainstay model eval`

use std::io::{self, Write};
use std::str::FromStr;

use clap::{Args, Subcommand};
use mainstay::registry::eval::{self, EvalInfo, EvalSpec};
use mainstay::registry::{CodeUse, Metric};
use mainstay::repo::View;
use mainstay::{Error, Locator, Name, NodeRef, Result};
use serde::Serialize;

use crate::args::{self, Commit, Pair};
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;
use crate::text::{BOLD, Cell, DIM, Fields, Table, joined, or_dash, when};

#[derive(Debug, Subcommand)]
pub(crate) enum Eval {
    Report(Box<Report>),
    List(List),
    Show(Show),
}

/// Report what was measured of a version after its registration
///
/// The version stays as it is; gates see the newest value of each metric.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model eval report holdout fraud@1.2.0 --data payments@8 --metric auc=0.91 \\
      --slice country=de:auc=0.84 --reason 'monthly check'")]
pub(crate) struct Report {
    /// The evaluation: a name for what is done; its reports are numbered
    evaluation: Name,
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// What was measured on all of the data; may be repeated
    #[arg(long = "metric", value_name = "KEY=NUMBER")]
    metrics: Vec<Pair>,
    /// What was measured on a part of it; may be repeated
    #[arg(long = "slice", value_name = "PART:KEY=NUMBER")]
    slices: Vec<Slice>,
    /// The data it was evaluated on
    #[arg(long, value_name = "REF", value_parser = args::data)]
    data: Option<Locator>,
    /// The run that did it
    #[arg(long = "run", value_name = "RUN", value_parser = args::run)]
    made_by: Option<Locator>,
    /// The commit that did it; REPO is the evaluation's name unless said
    #[arg(long, value_name = "[REPO@]COMMIT")]
    code: Option<Commit>,
    /// A free label; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    tags: Vec<Pair>,
    /// Free text
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    description: String,
}

/// List the evaluation reports on a version, oldest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model eval list fraud@production")]
pub(crate) struct List {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
}

/// Show one evaluation report
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model eval show holdout@3")]
pub(crate) struct Show {
    /// The report, as evaluation@number; the latest unless said
    #[arg(value_name = "REPORT", value_parser = args::eval)]
    reference: Locator,
}

/// `part:key=number`; the part may hold `:` and `=`.
#[derive(Debug, Clone)]
struct Slice {
    part: String,
    metric: String,
    value: f64,
}

impl FromStr for Slice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let split = || {
            let (name, value) = text.rsplit_once('=')?;
            let (part, metric) = name.rsplit_once(':')?;
            Some((part, metric, value))
        };
        let (part, metric, value) =
            split().ok_or_else(|| Error::invalid("expected PART:KEY=NUMBER"))?;
        Ok(Self {
            part: part.to_owned(),
            metric: metric.to_owned(),
            value: args::number(value)?,
        })
    }
}

#[derive(Serialize)]
struct Reports {
    model: NodeRef,
    reports: Vec<EvalInfo>,
}

impl Eval {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Report(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Show(command) => command.run(global).await,
        }
    }
}

impl Report {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let spec = self.spec(&view, global).await?;
        let reported = workspace.evaluations().report(spec).await?;
        let output = global.output();
        output.result(&reported, |out| writeln!(out, "{}", reported.eval))?;
        Ok(Answer::Yes)
    }

    async fn spec(self, view: &View, global: &Global) -> Result<EvalSpec> {
        let model = resolve(view, &self.reference).await?;
        let reason = global.reason(format!("report evaluation {}", self.evaluation));
        let mut spec = EvalSpec::new(self.evaluation, model, global.actor()?, reason)
            .with_description(self.description);
        if let Some(data) = &self.data {
            spec = spec.with_data(resolve(view, data).await?);
        }
        if let Some(run) = &self.made_by {
            spec = spec.with_run(resolve(view, run).await?);
        }
        if let Some(code) = self.code {
            let (repository, commit) = code.or_in(&spec.evaluation);
            spec = spec.with_code(repository, commit);
        }
        let metrics = args::collect(self.metrics, "metric", args::number)?;
        spec.metrics = metrics
            .into_iter()
            .map(|(name, value)| (name, Metric::new(value)))
            .collect();
        for Slice {
            part,
            metric,
            value,
        } in self.slices
        {
            let known = spec.slices.get(&part);
            if known.is_some_and(|metrics| metrics.contains_key(&metric)) {
                let error = Error::invalid("given twice");
                return Err(error.context("slice", part).context("metric", metric));
            }
            spec = spec.with_slice_metric(part, metric, value);
        }
        spec.tags = args::texts(self.tags, "tag")?;
        Ok(spec)
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let model = resolve(&view, &self.reference).await?;
        let reports = view.read(|view| eval::reports(view, &model)).await?;
        let document = Reports { model, reports };
        let output = global.output();
        output.result(&document, |out| {
            let mut table = Table::new(["report", "made", "data", "metrics"]);
            for report in &document.reports {
                let metrics = report.record.metrics.iter();
                table.row([
                    (&report.node).into(),
                    Cell::new(when(report.reported), DIM),
                    or_dash(report.record.data.as_ref()).into(),
                    joined(metrics.map(|(name, value)| format!("{name}={value}"))).into(),
                ]);
            }
            table.write(out)
        })?;
        if document.reports.is_empty() {
            output.note("no reports; see mainstay model eval report");
        }
        Ok(Answer::Yes)
    }
}

impl Show {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let info = workspace.evaluations().show(&self.reference).await?;
        global.output().result(&info, |out| write(&info, out))?;
        Ok(Answer::Yes)
    }
}

fn write(info: &EvalInfo, out: &mut dyn Write) -> io::Result<()> {
    let record = &info.record;
    let about = Some(&record.description).filter(|about| !about.is_empty());
    let tags = record.tags.iter();
    Fields::new()
        .with("report", Cell::new(&info.node, BOLD))
        .with("digest", info.digest)
        .with("of", &record.subject)
        .with("made", when(info.reported))
        .with_some("data", record.data.as_ref())
        .with_some("run", record.run.as_ref())
        .with_some("code", record.code.as_ref().map(CodeUse::node))
        .with_some("about", about)
        .with_all("tags", tags.map(|(key, value)| format!("{key}={value}")))
        .write(out)?;
    let mut table = Table::new(["part", "metric", "value"]).numbers_in(&[2]);
    for (metric, value) in &record.metrics {
        table.row(["".into(), metric.into(), value.into()]);
    }
    for (part, metrics) in &record.slices {
        for (metric, value) in metrics {
            table.row([part.into(), metric.into(), value.into()]);
        }
    }
    writeln!(out)?;
    table.write(out)
}
