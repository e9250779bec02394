//! `mainstay data diff` and `mainstay data drift`

use crate::commands::resolve;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anstyle::Style;
use clap::{Args, ValueEnum};
use mainstay::data::diff::{
    CompareOptions, CompareRows, ComparedRows, DatasetDiff, DriftThresholds, Threshold, Verdict,
};
use mainstay::data::rows::{CellValue, Identity, Op};
use mainstay::{Error, Locator, Result};

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, BOLD, CAUTION, Cell, DIM, GOOD, Line, Table, or_dash};

/// Compare two versions: schema, rows, and how far each column moved
///
/// Without --key and --rows only the statistics are read, no data. The verdict of a column is the worst
/// of its measures: the population stability index, the Kolmogorov-Smirnov (for categories: total
/// variation) distance and the change of the share of missing values.
///
/// With --key rows are compared by key, cell by cell; with --rows alone equal rows are counted. What
/// both versions store alike is not read.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data diff penguins@1 penguins
  mainstay data diff payments@1 payments --key id --rows 20
  mainstay data diff payments@1 payments --key id --format daff > payments.csv
  mainstay data diff penguins@v1 penguins --fail-on incompatible,drift")]
pub(crate) struct Diff {
    #[command(flatten)]
    comparison: Comparison,
    /// Columns that tell rows apart, by their later names
    #[arg(long, value_delimiter = ',', value_name = "COL")]
    key: Vec<String>,
    /// How many of the rows that differ are shown [default: 10 with --key]
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// How the comparison is written; --json is another way
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with code 1 when this is found
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    fail_on: Vec<FailOn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For a review or a report
    Markdown,
    /// The rows in the highlighter format of daff, as CSV; needs --key or --rows
    Daff,
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
    /// A row was added, removed or changed, or a key is there twice; needs --key or --rows
    Rows,
}

#[derive(Debug, Args)]
struct Comparison {
    /// The version compared with, as name@selector
    #[arg(value_name = "A", value_parser = args::data)]
    before: Locator,
    /// The version compared
    #[arg(value_name = "B", value_parser = args::data)]
    after: Locator,
    /// A JSON file of thresholds, for all columns and for single ones; --psi, --ks and --missing go first
    #[arg(long, value_name = "FILE")]
    thresholds: Option<PathBuf>,
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
        let mut options = self.comparison.options()?;
        if !self.key.is_empty() || self.rows.is_some() {
            let identity = if self.key.is_empty() {
                Identity::WholeRow
            } else {
                Identity::key(self.key.clone())
            };
            let sample = self
                .rows
                .unwrap_or(CompareRows::new(identity.clone()).sample);
            options = options.with_rows(CompareRows::new(identity).with_sample(sample));
        }
        let needs_rows = self.format == Format::Daff || self.fail_on.contains(&FailOn::Rows);
        if needs_rows && options.rows.is_none() {
            return Err(Error::invalid("comparing rows needs --key or --rows"));
        }
        let (diff, title) = self.comparison.run(global, &options).await?;
        let daff = match self.format {
            Format::Daff => diff.to_daff()?,
            Format::Text | Format::Markdown => None,
        };
        global
            .output()
            .result(&diff, |out| match (self.format, daff) {
                (Format::Text, _) => {
                    writeln!(out, "{BOLD}{title}{BOLD:#}")?;
                    write(&diff, out)
                }
                (Format::Markdown, _) => write!(out, "{}", diff.to_markdown()),
                (Format::Daff, daff) => write!(out, "{}", daff.unwrap_or_default()),
            })?;
        let found = self.fail_on.iter().any(|what| match what {
            FailOn::Incompatible => !diff.compatible,
            FailOn::Drift => diff.verdict == Verdict::Fail,
            FailOn::Rows => {
                let rows = diff.rows.compared.as_ref();
                rows.is_some_and(|rows| rows.differing() > 0)
            }
        });
        Ok(Answer::of(!found))
    }
}

impl Drift {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let options = self.comparison.options()?;
        let (diff, title) = self.comparison.run(global, &options).await?;
        global.output().result(&diff, |out| {
            writeln!(out, "{BOLD}{title}{BOLD:#}")?;
            write(&diff, out)
        })?;
        Ok(Answer::of(diff.verdict != Verdict::Fail))
    }
}

impl Comparison {
    /// Compares the versions; returns also what they are called.
    async fn run(
        &self,
        global: &Global,
        options: &CompareOptions,
    ) -> Result<(DatasetDiff, String)> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let before = resolve(&view, &self.before).await?;
        let after = resolve(&view, &self.after).await?;
        let datasets = workspace.data();
        let diff = datasets.compare_with(&before, &after, options).await?;
        Ok((diff, format!("{before} -> {after}")))
    }

    fn options(&self) -> Result<CompareOptions> {
        let mut thresholds = match &self.thresholds {
            Some(path) => read_thresholds(path)?,
            None => DriftThresholds::default(),
        };
        if let Some(Limits(psi)) = self.psi {
            thresholds = thresholds.with_psi(psi);
        }
        if let Some(Limits(ks)) = self.ks {
            thresholds = thresholds.with_ks(ks);
        }
        if let Some(Limits(missing)) = self.missing {
            thresholds = thresholds.with_missing(missing);
        }
        Ok(CompareOptions::default().with_thresholds(thresholds))
    }
}

fn read_thresholds(path: &Path) -> Result<DriftThresholds> {
    let named = |error: Error| error.context("path", path.display());
    let json = std::fs::read(path).map_err(|error| named(error.into()))?;
    DriftThresholds::from_json(&json).map_err(named)
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
    if let Some(rows) = &diff.rows.compared {
        write_rows(rows, out)?;
    }
    let style = style(diff.verdict);
    writeln!(out, "verdict {style}{}{style:#}", diff.verdict.name())
}

fn write_columns(diff: &DatasetDiff, out: &mut dyn Write) -> io::Result<()> {
    let head = ["column", "verdict", "psi", "ks", "js", "shift", "missing"];
    let mut table = Table::new(head).numbers_in(&[2, 3, 4, 5, 6]);
    for column in diff.columns.iter().filter(|column| column.changed) {
        let shown = |measure: Option<f64>| or_dash(measure.map(|value| format!("{value:.3}")));
        let drift = &column.drift;
        table.row([
            (&column.name).into(),
            Cell::new(column.verdict.name(), style(column.verdict)),
            shown(drift.psi).into(),
            shown(drift.ks).into(),
            shown(drift.js).into(),
            shown(drift.shift).into(),
            Cell::new(format!("{:+.3}", drift.missing), DIM),
        ]);
    }
    table.write(out)
}

fn write_rows(rows: &ComparedRows, out: &mut dyn Write) -> io::Result<()> {
    let (added, removed, changed) = (rows.added, rows.removed, rows.changed);
    let alike = rows.unchanged;
    writeln!(
        out,
        "rows added {added}, removed {removed}, changed {changed}, alike {alike}"
    )?;
    let duplicates = &rows.duplicates;
    if duplicates.keys > 0 {
        let (keys, before, after) = (duplicates.keys, duplicates.before, duplicates.after);
        writeln!(
            out,
            "{CAUTION}{keys} keys are no keys{CAUTION:#}: rows {before} -> {after}"
        )?;
    }
    for name in &rows.incomparable {
        let name = Line(name);
        writeln!(
            out,
            "not compared {name}: its types have no values in common"
        )?;
    }
    let mut table = Table::new(["row", "key", "before", "after"]);
    for row in &rows.sample {
        let all = row.changed.is_empty();
        let side = |side: &Option<Vec<(String, CellValue)>>| {
            let cells = side.iter().flatten();
            cells_of(cells.filter(|(name, _)| all || row.changed.contains(name)))
        };
        let style = match row.op {
            Op::Added => GOOD,
            Op::Removed => BAD,
            Op::Changed | Op::Duplicate => CAUTION,
        };
        table.row([
            Cell::new(row.op.name(), style),
            cells_of(row.key.iter()).into(),
            side(&row.before).into(),
            side(&row.after).into(),
        ]);
    }
    table.write(out)
}

fn cells_of<'a>(cells: impl Iterator<Item = &'a (String, CellValue)>) -> String {
    let spelled = cells.map(|(name, value)| match value {
        Some(value) => format!("{name}={value}"),
        None => format!("{name} is null"),
    });
    spelled.collect::<Vec<_>>().join(" ")
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Warn => CAUTION,
        _ => BAD,
    }
}
