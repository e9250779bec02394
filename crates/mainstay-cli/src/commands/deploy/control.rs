//! `mainstay deploy pause` and `mainstay deploy resume`

use clap::Args;
use mainstay::{Name, Result, rollout};

use super::status;
use crate::cli::Global;
use crate::output::Answer;

/// Stop the running rollout from going on by itself; its guardrail keeps watching
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy pause prod --reason 'incident elsewhere'")]
pub(crate) struct Pause {
    /// The channel
    channel: Name,
}

/// Let a paused rollout go on
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy resume prod")]
pub(crate) struct Resume {
    /// The channel
    channel: Name,
}

impl Pause {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let rollouts = global.open().await?.rollouts();
        let reason = global.reason("pause by hand");
        let paused = rollouts.pause(&self.channel, global.actor()?, &reason);
        print(global, &paused.await?)
    }
}

impl Resume {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let rollouts = global.open().await?.rollouts();
        let reason = global.reason("resume by hand");
        let resumed = rollouts.resume(&self.channel, global.actor()?, &reason);
        print(global, &resumed.await?)
    }
}

fn print(global: &Global, status: &rollout::Status) -> Result<Answer> {
    global
        .output()
        .result(status, |out| status::write(status, out))?;
    Ok(Answer::Yes)
}
