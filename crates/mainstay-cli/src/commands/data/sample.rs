//! `mainstay data sample`

use clap::Args;
use mainstay::data::{Predicate, SampleSize, SampleSpec};
use mainstay::{Locator, Name, Result};

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields};

/// Store some rows of a version, chosen at random, as a version of another dataset
///
/// The same seed chooses the same rows.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data sample payments --rows 1000 --seed 7
  mainstay data sample payments --fraction 0.01 --stratify country --into payments-small
  mainstay data sample payments --fraction 1 --where \"country = 'FR'\" --into payments-france")]
pub(crate) struct Sample {
    /// The dataset version, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
    /// How many rows
    #[arg(long, value_name = "N", required_unless_present = "fraction")]
    rows: Option<u64>,
    /// Which share of them, more than 0 and at most 1
    #[arg(long, value_name = "SHARE", conflicts_with = "rows")]
    fraction: Option<f64>,
    /// Another seed is another sample
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Give each combination of the values of these columns its share
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    stratify: Vec<String>,
    /// Choose only among the rows that meet a condition, as data rows takes it
    #[arg(long = "where", value_name = "CONDITION")]
    filter: Option<Predicate>,
    /// The dataset of the sample [default: NAME-sample]
    #[arg(long, value_name = "NAME")]
    into: Option<Name>,
}

impl Sample {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let source = workspace.resolve(&self.reference).await?;
        let size = match (self.rows, self.fraction) {
            (Some(rows), _) => SampleSize::Rows(rows),
            (None, share) => SampleSize::Fraction(share.unwrap_or_default()),
        };
        let reason = global.reason(format!("sample {source}"));
        let mut spec = SampleSpec::new(source, size, self.seed, global.actor()?, reason);
        spec.strata = self.stratify;
        spec.filter = self.filter;
        spec.dataset = self.into;
        let datasets = global.telling(workspace.data());
        let report = datasets.sample(spec).await?;
        // The line of progress makes room for the report.
        drop(datasets);
        global.output().result(&report, |out| {
            Fields::new()
                .with("version", Cell::new(&report.node, BOLD))
                .with_some("rows", report.rows)
                .write(out)
        })?;
        Ok(Answer::Yes)
    }
}
