//! `mainstay model delete`

use clap::Args;
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;

/// Delete a version that no alias points to and that holds no exclusive stage
///
/// Its number is not used again, and its history stays.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model delete fraud@1.1.0 --reason \"trained on the wrong data\"")]
pub(crate) struct Delete {
    /// The model version, as name@selector
    #[arg(value_name = "REF", value_parser = args::model)]
    reference: Locator,
}

#[derive(Serialize)]
struct Document {
    deleted: NodeRef,
    seq: u64,
}

impl Delete {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let (actor, reason) = (global.actor()?, global.reason("delete model version"));
        let models = global.open().await?.models();
        let (deleted, seq) = models.delete(&self.reference, actor, reason).await?;
        let document = Document { deleted, seq };
        global.output().result(&document, |out| {
            writeln!(out, "{}: deleted", document.deleted)
        })?;
        Ok(Answer::Yes)
    }
}
