//! `mainstay data split` and `mainstay data leaks`

use std::io::{self, Write};

use clap::Args;
use mainstay::data::split::{LeakageReport, Overlap, SplitRule, SplitSpec};
use mainstay::{Error, Locator, Name, Result};

use crate::args::{self, Pair};
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;
use crate::text::{BAD, BOLD, Cell, GOOD, Table};

/// Divide a version into parts, as training and test data
///
/// By columns, a hash of their values decides: adding rows moves no row, and rows that are equal in
/// them stay together. By time, the first part holds the earliest rows. Each part becomes a version of
/// the dataset NAME-ROLE, after the name of the split.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data split payments --by id --parts train=8,validation=1,test=1 --seed 7
  mainstay data split payments --by id --ratios train=0.8,test=0.2 --name by-id
  mainstay data split payments --by id --stratify fraud --parts train=8,test=2
  mainstay data split payments --time paid_at --cut 2026-01-01 --parts train=1,test=1")]
pub(crate) struct Split {
    /// The dataset version, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
    /// The columns whose values decide: a key, or the columns of a group
    #[arg(
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        required_unless_present = "time",
        conflicts_with = "time"
    )]
    by: Vec<String>,
    /// Another seed is another division
    #[arg(long, default_value_t = 0, conflicts_with = "time")]
    seed: u32,
    /// Divide each combination of the values of these columns in the same proportions
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', requires = "by")]
    stratify: Vec<String>,
    /// Divide by time instead
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Where the next part begins; once for each part but the first
    #[arg(long = "cut", value_name = "TIME", requires = "time")]
    cuts: Vec<String>,
    /// The parts and their weights: whole numbers, or fractions that make 1
    #[arg(
        long,
        visible_alias = "ratios",
        value_name = "ROLE=WEIGHT",
        value_delimiter = ',',
        default_value = "train=8,test=2"
    )]
    parts: Vec<Pair>,
    /// The split's name [default: that of the dataset]
    #[arg(long)]
    name: Option<Name>,
}

/// Look for keys and rows that two of several versions share, and say no when there are any
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data leaks payments-train payments-test --key id")]
pub(crate) struct Leaks {
    /// The dataset versions, as name@selector
    #[arg(value_name = "REF", num_args = 2.., required = true, value_parser = args::data)]
    references: Vec<Locator>,
    /// The columns that tell rows apart
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
}

impl Split {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let source = workspace.resolve(&self.reference).await?;
        let rule = match self.time {
            Some(column) => SplitRule::time_cut(column, self.cuts),
            None => SplitRule::stratified(self.by, self.seed, self.stratify),
        };
        let reason = global.reason(format!("split {source}"));
        let mut spec = SplitSpec::new(source, rule, global.actor()?, reason);
        if let Some(name) = self.name {
            spec = spec.with_name(name);
        }
        for (role, weight) in weights(&self.parts)? {
            spec = spec.with_part(role, weight);
        }
        let datasets = global.telling(workspace.data());
        let report = datasets.split(spec).await?;
        // The line of progress makes room for the report.
        drop(datasets);
        let output = global.output();
        output.result(&report, |out| {
            let mut table = Table::new(["part", "version", "rows"]).numbers_in(&[2]);
            for part in &report.parts {
                table.row([
                    Cell::new(&part.role, BOLD),
                    (&part.snapshot.node).into(),
                    part.snapshot.rows.unwrap_or_default().into(),
                ]);
            }
            table.write(out)
        })?;
        if report.reused {
            output.note("the split was there already: no new version was made");
        }
        Ok(Answer::Yes)
    }
}

/// Reads the weights of parts; fractions are taken times a power of ten.
///
/// # Errors
/// [`ErrorKind::Invalid`](mainstay::ErrorKind::Invalid) naming the part whose weight is none, and when
/// fractions do not make 1.
fn weights(parts: &[Pair]) -> Result<Vec<(Name, u32)>> {
    let decimals = |text: &str| {
        text.split_once('.')
            .map_or("", |(_, decimals)| decimals)
            .len()
    };
    let digits = parts.iter().map(|part| decimals(&part.value)).max();
    let digits = digits.unwrap_or(0);
    let scaled = |Pair { key, value }: &Pair| {
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        let number = format!("{whole}{fraction:0<digits$}");
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        let weight = number.parse().ok().filter(|_| is_number);
        let refuse = || Error::invalid("not a weight").context("part", key);
        Ok((key.parse()?, weight.ok_or_else(refuse)?))
    };
    let weights: Vec<(Name, u32)> = parts.iter().map(scaled).collect::<Result<_>>()?;
    let sum: u64 = weights.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let one = u32::try_from(digits)
        .ok()
        .and_then(|digits| 10_u64.checked_pow(digits));
    if digits > 0 && one != Some(sum) {
        let given: Vec<String> = parts.iter().map(|part| part.value.clone()).collect();
        return Err(
            Error::invalid("fractions that do not make 1").context("fractions", given.join(" + "))
        );
    }
    Ok(weights)
}

impl Leaks {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let mut versions = Vec::with_capacity(self.references.len());
        for reference in &self.references {
            versions.push(resolve(&view, reference).await?);
        }
        let datasets = global.telling(workspace.data());
        let report = datasets.check_leakage(&versions, &self.key).await?;
        // The line of progress makes room for the report.
        drop(datasets);
        global.output().result(&report, |out| tell(&report, out))?;
        Ok(Answer::of(!report.leaks))
    }
}

fn tell(report: &LeakageReport, out: &mut dyn Write) -> io::Result<()> {
    if !report.leaks {
        return writeln!(out, "{GOOD}nothing is shared{GOOD:#}");
    }
    let mut table = Table::new(["shared", "of", "and", "different", "rows", "rows", "as"])
        .numbers_in(&[3, 4, 5]);
    let mut add = |what: &'static str, overlaps: &[Overlap]| {
        for overlap in overlaps {
            let sample = overlap.samples.first().into_iter().flatten();
            let sample: Vec<String> = sample
                .map(|(name, text)| format!("{name}={text}"))
                .collect();
            table.row([
                Cell::new(what, BAD),
                (&overlap.a).into(),
                (&overlap.b).into(),
                overlap.distinct.into(),
                overlap.rows_a.into(),
                overlap.rows_b.into(),
                sample.join(", ").into(),
            ]);
        }
    };
    add("keys", &report.keys);
    add("rows", &report.rows);
    table.write(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<u32>> {
        let pairs = text.split(',').map(|pair| pair.parse().unwrap());
        let weights = weights(&pairs.collect::<Vec<Pair>>())?;
        Ok(weights.into_iter().map(|(_, weight)| weight).collect())
    }

    #[test]
    fn fractions_are_weights_that_make_one() {
        assert_eq!(of("a=8,b=2").unwrap(), [8, 2]);
        assert_eq!(of("a=0.8,b=0.2").unwrap(), [8, 2]);
        assert_eq!(of("a=0.7,b=0.15,c=.15").unwrap(), [70, 15, 15]);
        assert_eq!(of("a=0.999999999,b=0.000000001").unwrap(), [999_999_999, 1]);
        for text in [
            "a=0.8,b=0.1",
            "a=0.8,b=2",
            "a=-1,b=2",
            "a=x,b=1",
            "a=,b=1",
            "a=1e-1,b=0.9",
            "a=+0.5,b=0.5",
            "a=0.5.0,b=0.5",
            "a=5000000000,b=1",
            "a=0.99999999999,b=0.00000000001",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
