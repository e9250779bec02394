//! `mainstay stats`

use clap::Args;
use mainstay::Result;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{bytes, fields};

/// Count what is stored
///
/// Logical bytes are those of all distinct files; stored bytes are what the workspace takes.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay stats --json")]
pub(crate) struct Stats {}

impl Stats {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let stats = global.open().await?.repo().stats().await?;
        global.output().result(&stats, |out| {
            fields(
                out,
                [
                    ("stored", bytes(stats.stored_bytes).into()),
                    ("logical", bytes(stats.logical_bytes).into()),
                    ("objects", stats.objects.into()),
                    ("log entries", stats.log_entries.into()),
                    ("head", stats.head.into()),
                ],
            )
        })?;
        Ok(Answer::Yes)
    }
}
