//! `mainstay deploy plan`

use clap::{Args, Subcommand};
use mainstay::repo::View;
use mainstay::rollout::{Rollouts, SwitchPlan};
use mainstay::{Name, Result};

use super::steps::{Steps, Target};
use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Plan {
    Start(Start),
    Put(Put),
    Promote(Promote),
    Rollback(Rollback),
}

/// Show what deploy start would do
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy plan start prod support@2 --steps 1%,10%")]
pub(crate) struct Start {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    steps: Steps,
}

/// Show what deploy put would do
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy plan put prod support@2")]
pub(crate) struct Put {
    #[command(flatten)]
    target: Target,
}

/// Show what deploy promote would do
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy plan promote prod")]
pub(crate) struct Promote {
    /// The channel
    channel: Name,
}

/// Show what deploy rollback would do
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy plan rollback prod")]
pub(crate) struct Rollback {
    /// The channel
    channel: Name,
}

impl Plan {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let view = global.open().await?.repo().view().await?;
        let reason = global.reason("by hand");
        let plan = view.read(|view| self.make(view, &reason)).await?;
        let output = global.output();
        output.result(&plan, |out| write!(out, "{plan}"))?;
        output.note("a plan: nothing was done");
        Ok(Answer::Yes)
    }

    fn make(&self, view: &View, why: &str) -> Result<SwitchPlan> {
        match self {
            Self::Start(Start { target, steps }) => {
                let plan = steps.plan()?;
                Rollouts::plan_start(view, &target.channel, &target.unit, &plan)
            }
            Self::Put(Put { target }) => Rollouts::plan_put(view, &target.channel, &target.unit),
            Self::Promote(Promote { channel }) => Rollouts::plan_promote(view, channel, why),
            Self::Rollback(Rollback { channel }) => Rollouts::plan_rollback(view, channel, why),
        }
    }
}
