//! `mainstay model pull`

use std::path::PathBuf;

use clap::Args;
use mainstay::{Locator, Result};

use crate::args;
use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;
use crate::text::bytes;

/// Write the files of a version to a directory that is absent or empty
///
/// All of them or none, each checked against its digest.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model pull fraud@production ./model")]
pub(crate) struct Pull {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    /// Where to
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    moment: At,
}

impl Pull {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = self.moment.view(&workspace).await?;
        let models = workspace.models();
        let report = models.pull(&view, &self.reference, &self.directory).await?;
        global.output().result(&report, |out| {
            let (files, size) = (report.files.len(), bytes(report.bytes));
            writeln!(out, "{}: files {files}, {size}", report.model)
        })?;
        Ok(Answer::Yes)
    }
}
