//! `mainstay model delete`

use clap::Args;
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;

/// Delete a version that no alias points to, that holds no exclusive stage, and that nothing was made from
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
    /// Delete it also when things were made from it or hold it; their lineage shows it as deleted
    #[arg(long)]
    even_if_used: bool,
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
        let (deleted, seq) = if self.even_if_used {
            models.delete_used(&self.reference, actor, reason).await?
        } else {
            models.delete(&self.reference, actor, reason).await?
        };
        let document = Document { deleted, seq };
        global.output().result(&document, |out| {
            writeln!(out, "{}: deleted", document.deleted)
        })?;
        Ok(Answer::Yes)
    }
}
