//! `mainstay run finish`

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use mainstay::registry::run::{RunEnd, RunStatus};
use mainstay::{Locator, Result, Timestamp};

use super::or_now;
use crate::args;
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;

/// End a run; nothing can be added to it any more
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay run finish churn@1
  mainstay run finish churn@1 --status failed --reason diverged")]
pub(crate) struct Finish {
    /// The run
    #[arg(value_name = "RUN", value_parser = args::run)]
    reference: Locator,
    /// How it ended
    #[arg(long, default_value = "finished", value_parser = status())]
    status: RunStatus,
    /// When it ended, as 2026-11-24T09:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

fn status() -> impl TypedValueParser<Value = RunStatus> {
    PossibleValuesParser::new(["finished", "failed", "killed"]).try_map(|text| text.parse())
}

impl Finish {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let run = resolve(&view, &self.reference).await?;
        let reason = global.reason(format!("{} {run}", self.status));
        let end = RunEnd::new(run, self.status, or_now(self.at), global.actor()?, reason);
        let ended = workspace.runs().end(end).await?;
        let output = global.output();
        output.result(&ended, |out| writeln!(out, "{} {}", ended.run, self.status))?;
        if ended.seq.is_none() {
            output.note("nothing had to change");
        }
        Ok(Answer::Yes)
    }
}
