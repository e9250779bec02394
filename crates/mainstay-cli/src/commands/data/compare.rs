//! `mainstay data diff` and `mainstay data drift`

mod text;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use mainstay::data::diff::{
    CompareOptions, CompareRows, DatasetDiff, DriftThresholds, Threshold, Verdict,
};
use mainstay::data::rows::Identity;
use mainstay::{Error, Locator, NodeRef, Result};

use crate::args;
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;
use crate::text::BOLD;

/// Compare two versions: schema, rows, how far each column moved, and which files differ
///
/// Without --key and --rows only the statistics are read, no data. The verdict of a column is the worst
/// of its measures: the population stability index, the Kolmogorov-Smirnov (for categories: total
/// variation) distance and the change of the share of missing values. What tests say besides, of chi-square,
/// Cramér's V, missing values, new and vanished categories, is judged only where --thresholds ask.
///
/// Files that are no table are compared by name and content; where there is no table to compare, the
/// verdict is that nothing was judged.
///
/// With --key rows are compared by key, cell by cell; with --rows alone by the key that was recorded with
/// the version, and where there is none, equal rows are counted. What both versions store alike is not read.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data diff penguins@1 penguins
  mainstay data diff payments@1 payments --key id --rows 20
  mainstay data diff payments@1 payments --key id --format daff > payments.csv
  mainstay data diff penguins@v1 penguins --fail-on forward,drift
  mainstay data diff images@v1 images --fail-on files")]
pub(crate) struct Diff {
    #[command(flatten)]
    comparison: Comparison,
    /// Columns that tell rows apart, by their later names [default: the recorded key]
    #[arg(long, value_delimiter = ',', value_name = "COL")]
    key: Vec<String>,
    /// Compare rows, and show so many of those that differ [default: 10 with --key]
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
    /// The rows in the highlighter format of daff, as CSV, with --key or --rows; the files where there is no
    /// table
    Daff,
}

/// Compare two versions, and say no when they drifted apart
///
/// As diff, the most drifted column first. Exit code 1 when the verdict is fail: a column failed, or
/// readers of the earlier columns cannot read the later data. Both versions must have a table.
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
    /// Readers of the earlier columns cannot read the later data: a column is gone, or has another name, a
    /// wider type, or nulls; "incompatible" means the same
    #[value(alias = "incompatible")]
    Forward,
    /// Readers of the later columns cannot read the earlier data: a column is new, or has a narrower type
    Backward,
    /// A column failed, or readers of the earlier columns cannot read the later data; both versions must have a table
    Drift,
    /// A row was added, removed or changed, or a key is there twice; needs --key or --rows
    Rows,
    /// A file was added, removed, changed or renamed, of the table or beside it
    Files,
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
        if let Some(rows) = self.compared_rows() {
            options = options.with_rows(rows);
        }
        let compared = self.comparison.run(global, &options).await?;
        let diff = &compared.diff;
        let daff = match self.format {
            Format::Daff => Some(diff.to_daff()?.ok_or_else(rows_unknown)?),
            Format::Text | Format::Markdown => None,
        };
        let mut found = false;
        for what in &self.fail_on {
            found |= what.is_found(&compared)?;
        }
        global
            .output()
            .result(diff, |out| match (self.format, daff) {
                (Format::Text, _) => compared.write(out),
                (Format::Markdown, _) => write!(out, "{}", diff.to_markdown()),
                (Format::Daff, daff) => write!(out, "{}", daff.unwrap_or_default()),
            })?;
        Ok(Answer::of(!found))
    }

    /// What to compare of rows; `None` when nothing asks for them.
    fn compared_rows(&self) -> Option<CompareRows> {
        let rows = if self.key.is_empty() {
            self.rows.map(|_| CompareRows::default())?
        } else {
            CompareRows::new(Identity::key(self.key.clone()))
        };
        let sample = self.rows.unwrap_or(rows.sample);
        Some(rows.with_sample(sample))
    }
}

impl FailOn {
    /// # Errors
    /// Invalid when the versions have no table, or no rows were compared, to look for it.
    fn is_found(self, compared: &Compared) -> Result<bool> {
        let diff = &compared.diff;
        Ok(match self {
            Self::Forward => {
                compared.check_some_table()?;
                !diff.compatibility.forward
            }
            Self::Backward => {
                compared.check_some_table()?;
                !diff.compatibility.backward
            }
            Self::Drift => compared.has_drifted()?,
            Self::Rows => {
                compared.check_tables()?;
                let rows = diff.rows.compared.as_ref().ok_or_else(rows_unknown)?;
                rows.differing() > 0
            }
            Self::Files => diff.files.differing() > 0,
        })
    }
}

fn rows_unknown() -> Error {
    Error::invalid("comparing rows needs --key or --rows")
}

impl Drift {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let options = self.comparison.options()?;
        let compared = self.comparison.run(global, &options).await?;
        let has_drifted = compared.has_drifted()?;
        global
            .output()
            .result(&compared.diff, |out| compared.write(out))?;
        Ok(Answer::of(!has_drifted))
    }
}

/// Two versions, and how they differ.
struct Compared {
    before: NodeRef,
    after: NodeRef,
    diff: DatasetDiff,
}

impl Compared {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{BOLD}{} -> {}{BOLD:#}", self.before, self.after)?;
        text::write(&self.diff, out)
    }

    /// Reports whether the verdict is fail.
    ///
    /// # Errors
    /// Invalid naming the version when one has no table.
    fn has_drifted(&self) -> Result<bool> {
        self.check_tables()?;
        Ok(self.diff.verdict == Verdict::Fail)
    }

    /// Checks that both versions have a table.
    fn check_tables(&self) -> Result<()> {
        let rows = &self.diff.rows;
        let sides = [(&self.before, rows.before), (&self.after, rows.after)];
        match sides.into_iter().find(|(_, rows)| *rows == 0) {
            Some((version, _)) => Err(without_table(version)),
            None => Ok(()),
        }
    }

    /// Checks that one of the versions has a table.
    fn check_some_table(&self) -> Result<()> {
        let rows = &self.diff.rows;
        if rows.before + rows.after > 0 {
            Ok(())
        } else {
            Err(without_table(&self.before))
        }
    }
}

fn without_table(version: &NodeRef) -> Error {
    Error::invalid("the version has no table to judge").context("data", version)
}

impl Comparison {
    async fn run(&self, global: &Global, options: &CompareOptions) -> Result<Compared> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let before = resolve(&view, &self.before).await?;
        let after = resolve(&view, &self.after).await?;
        let datasets = global.telling(workspace.data());
        let diff = datasets.compare_with(&before, &after, options).await?;
        Ok(Compared {
            before,
            after,
            diff,
        })
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
