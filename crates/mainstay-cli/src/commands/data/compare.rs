//! `mainstay data diff` and `mainstay data drift`

use crate::commands::resolve;
use std::io::{self, Write};
use std::str::FromStr;

use anstyle::Style;
use clap::{Args, ValueEnum};
use mainstay::data::diff::{DatasetDiff, DriftThresholds, Threshold, Verdict};
use mainstay::{Error, Locator, Result};

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, BOLD, CAUTION, Cell, DIM, GOOD, Line, Table, or_dash};

/// Compare two versions: schema, rows, and how far each column moved
///
/// Only the statistics are read, no data. The verdict of a column is the worst of its measures: the
/// population stability index, the Kolmogorov-Smirnov (for categories: total variation) distance and
/// the change of the share of missing values.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data diff penguins@1 penguins
  mainstay data diff penguins@v1 penguins --fail-on incompatible,drift")]
pub(crate) struct Diff {
    #[command(flatten)]
    comparison: Comparison,
    /// Exit with code 1 when this is found
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<FailOn>,
}

/// Compare two versions, and say no when they drifted apart
///
/// As diff, the most drifted column first. Exit code 1 when the verdict is fail: a column failed, or
/// the schemas are incompatible.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data drift penguins@2007 penguins@2009
  mainstay data drift penguins@v1 penguins --psi 0.05,0.2")]
pub(crate) struct Drift {
    #[command(flatten)]
    comparison: Comparison,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A reader of the earlier columns cannot read the later ones
    Incompatible,
    /// A column failed, or the schemas are incompatible
    Drift,
}

#[derive(Debug, Args)]
struct Comparison {
    /// The version compared with, as name@selector
    #[arg(value_name = "A", value_parser = args::data)]
    before: Locator,
    /// The version compared
    #[arg(value_name = "B", value_parser = args::data)]
    after: Locator,
    /// From which population stability index to warn and to fail [default: 0.1,0.25]
    #[arg(long, value_name = "WARN,FAIL")]
    psi: Option<Limits>,
    /// From which distance to warn and to fail [default: 0.1,0.2]
    #[arg(long, value_name = "WARN,FAIL")]
    ks: Option<Limits>,
    /// From which change of missing values to warn and to fail [default: 0.05,0.15]
    #[arg(long, value_name = "WARN,FAIL")]
    missing: Option<Limits>,
}

#[derive(Debug, Clone, Copy)]
struct Limits(Threshold);

impl FromStr for Limits {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (warn, fail) = text
            .split_once(',')
            .ok_or_else(|| Error::invalid("expected WARN,FAIL"))?;
        let (warn, fail) = (args::number(warn)?, args::number(fail)?);
        if 0.0 <= warn && warn <= fail && fail.is_finite() {
            Ok(Self(Threshold { warn, fail }))
        } else {
            Err(Error::invalid("expected 0 <= WARN <= FAIL"))
        }
    }
}

impl Diff {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let diff = self.comparison.run(global).await?;
        let found = self.fail_on.iter().any(|what| match what {
            FailOn::Incompatible => !diff.compatible,
            FailOn::Drift => diff.verdict == Verdict::Fail,
        });
        Ok(Answer::of(!found))
    }
}

impl Drift {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let diff = self.comparison.run(global).await?;
        Ok(Answer::of(diff.verdict != Verdict::Fail))
    }
}

impl Comparison {
    async fn run(&self, global: &Global) -> Result<DatasetDiff> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let before = resolve(&view, &self.before).await?;
        let after = resolve(&view, &self.after).await?;
        let diff = workspace
            .data()
            .compare_with(&before, &after, &self.thresholds())
            .await?;
        global.output().result(&diff, |out| {
            writeln!(out, "{BOLD}{before} -> {after}{BOLD:#}")?;
            write(&diff, out)
        })?;
        Ok(diff)
    }

    fn thresholds(&self) -> DriftThresholds {
        let mut thresholds = DriftThresholds::default();
        if let Some(Limits(psi)) = self.psi {
            thresholds = thresholds.with_psi(psi);
        }
        if let Some(Limits(ks)) = self.ks {
            thresholds = thresholds.with_ks(ks);
        }
        if let Some(Limits(missing)) = self.missing {
            thresholds = thresholds.with_missing(missing);
        }
        thresholds
    }
}

fn write(diff: &DatasetDiff, out: &mut dyn Write) -> io::Result<()> {
    let (before, after) = (diff.rows.before, diff.rows.after);
    if diff.same_table {
        return writeln!(out, "the same table, rows {after}");
    }
    writeln!(out, "rows {before} -> {after}")?;
    if diff.same_rows {
        writeln!(out, "the same rows in another order")?;
    }
    let schema = &diff.schema;
    for column in &schema.added {
        let (name, kind) = (Line(&column.name), &column.logical_type);
        writeln!(out, "added    {name} {kind}")?;
    }
    for column in &schema.removed {
        let (name, kind) = (Line(&column.name), &column.logical_type);
        writeln!(out, "removed  {name} {kind}")?;
    }
    for change in &schema.changed {
        let name = Line(&change.name);
        let [before, after] = [&change.before, &change.after].map(|column| {
            let nullable = if column.nullable { ", nullable" } else { "" };
            format!("{}{nullable}", column.logical_type)
        });
        writeln!(out, "changed  {name} {before} -> {after}")?;
    }
    for renaming in &schema.renamed {
        let (from, to) = (Line(&renaming.from), Line(&renaming.to));
        writeln!(out, "renamed  {from} -> {to}")?;
    }
    if !diff.compatible {
        writeln!(
            out,
            "{BAD}incompatible{BAD:#}: readers of the earlier columns fail"
        )?;
    }
    write_columns(diff, out)?;
    let style = style(diff.verdict);
    writeln!(out, "verdict {style}{}{style:#}", word(diff.verdict))
}

fn write_columns(diff: &DatasetDiff, out: &mut dyn Write) -> io::Result<()> {
    let head = ["column", "verdict", "psi", "ks", "js", "shift", "missing"];
    let mut table = Table::new(head).numbers_in(&[2, 3, 4, 5, 6]);
    for column in diff.columns.iter().filter(|column| column.changed) {
        let shown = |measure: Option<f64>| or_dash(measure.map(|value| format!("{value:.3}")));
        let drift = &column.drift;
        table.row([
            (&column.name).into(),
            Cell::new(word(column.verdict), style(column.verdict)),
            shown(drift.psi).into(),
            shown(drift.ks).into(),
            shown(drift.js).into(),
            shown(drift.shift).into(),
            Cell::new(format!("{:+.3}", drift.missing), DIM),
        ]);
    }
    table.write(out)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        _ => "fail",
    }
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Warn => CAUTION,
        _ => BAD,
    }
}
