//! `mainstay model rename`

use clap::Args;
use mainstay::{Name, Result};

use crate::cli::Global;
use crate::output::Answer;

/// Call a model something else
///
/// Its versions, stages, aliases, policy and history stay. The old name goes on to lead to it until another
/// model takes it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model rename fraud card-fraud --reason 'there is account fraud too'")]
pub(crate) struct Rename {
    /// What the model is called
    old: Name,
    /// What it is to be called
    new: Name,
}

impl Rename {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("rename {} to {}", self.old, self.new));
        let models = global.open().await?.models();
        let renamed = models
            .rename(&self.old, &self.new, global.actor()?, reason)
            .await?;
        let output = global.output();
        output.result(&renamed, |out| {
            writeln!(out, "{} -> {}", renamed.from, renamed.to)
        })?;
        if renamed.seq.is_none() {
            output.note("it is called so already");
        }
        if renamed.id != renamed.to {
            let kept = format!("in the lineage its versions stay model:{}@…", renamed.id);
            output.note(&kept);
        }
        Ok(Answer::Yes)
    }
}
