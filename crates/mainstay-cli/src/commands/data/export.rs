//! `mainstay data export`

use std::path::PathBuf;

use clap::Args;
use mainstay::{Locator, Result};

use super::moment::At;
use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::bytes;

/// Write the files of a version to a directory
///
/// Files come back byte for byte as they were; those that were stored with the layout canonical as the
/// Parquet files that they became, the rows of patches merged.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data export penguins@v1 out/")]
pub(crate) struct Export {
    /// The dataset version, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
    /// Where to
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    moment: At,
}

impl Export {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let datasets = self.moment.datasets(&workspace).await?;
        let node = datasets.resolve(&self.reference).await?;
        let datasets = global.telling(datasets);
        let report = datasets.export(&node, &self.directory).await?;
        // The line of progress makes room for the report.
        drop(datasets);
        global.output().result(&report, |out| {
            let (files, size) = (report.files.len(), bytes(report.bytes));
            writeln!(out, "{}: files {files}, {size}", report.node)
        })?;
        Ok(Answer::Yes)
    }
}
