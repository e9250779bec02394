//! `mainstay stats`

use clap::Args;
use mainstay::Result;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Fields, bytes};

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
        let workspace = global.open().await?;
        let stats = global.watching(workspace.repo()).stats().await?;
        global.output().result(&stats, |out| {
            Fields::new()
                .with("stored", bytes(stats.stored_bytes))
                .with("logical", bytes(stats.logical_bytes))
                .with("objects", stats.objects)
                .with("log entries", stats.log_entries)
                .with("checkpoints", stats.checkpoints)
                .with("of checkpoints", bytes(stats.checkpoint_bytes))
                .with("tally objects", stats.tally_objects)
                .with("head", stats.head)
                .write(out)
        })?;
        Ok(Answer::Yes)
    }
}
