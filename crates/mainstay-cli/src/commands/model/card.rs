//! `mainstay model card`

use clap::Args;
use mainstay::{Locator, Result};

use crate::args;
use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;

/// Write the card of a version, in Markdown
///
/// Everything that is known about it, in the sections of Hugging Face's model cards. What no record knows
/// comes from tags.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Tags that have a place on the card:
  direct_use, downstream_use, out_of_scope_use, bias_risks_limitations, bias_recommendations,
  model_type, language, license, preprocessing, results_summary

Example:
  mainstay model card fraud@production > README.md
  mainstay model card fraud@production --at 2026-01-01T00:00:00Z")]
pub(crate) struct Card {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
    #[command(flatten)]
    moment: At,
}

impl Card {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = self.moment.view(&workspace).await?;
        let card = workspace.models().card(&view, &self.reference).await?;
        global.output().verbatim(&card, &card.to_markdown())?;
        Ok(Answer::Yes)
    }
}
