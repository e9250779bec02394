//! `mainstay deploy start`, `put`, `promote` and `rollback`: traffic moves.

use clap::Args;
use mainstay::repo::View;
use mainstay::rollout::{Rollouts, SwitchAction, SwitchPlan};
use mainstay::{ErrorKind, Name, Result};

use super::steps::{Steps, Target};
use crate::cli::Global;
use crate::output::Answer;

/// How often a switch is planned anew when somebody else changed the channel meanwhile.
const MAX_ATTEMPTS: usize = 8;

/// Begin to roll a unit out in a channel
///
/// The unit gets the first share of the traffic. deploy observe feeds in what was seen: the share rises
/// step by step while the guardrail passes, and the channel goes back when it fails. In a channel that
/// serves nothing the unit gets everything at once. A rollout that is running there is stopped.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy start prod support@2
  mainstay deploy start prod support@2 --steps 1%,10%,50% --min-requests 2000 --alpha 0.01")]
pub(crate) struct Start {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    steps: Steps,
}

/// Give a unit all of a channel's traffic at once
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy put prod support@1")]
pub(crate) struct Put {
    #[command(flatten)]
    target: Target,
}

/// Give the candidate all of the traffic, whatever the guardrail says
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy promote prod --reason 'reviewed by hand'")]
pub(crate) struct Promote {
    /// The channel
    channel: Name,
}

/// Give the unit that served before all of the traffic, and say what moved
///
/// The unit, each of its components and the pointers that follow move in one log entry. A running
/// rollout is ended; without one, the last completed rollout is undone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy rollback prod --reason 'wrong answers since noon'")]
pub(crate) struct Rollback {
    /// The channel
    channel: Name,
}

impl Start {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let Target { channel, unit } = &self.target;
        let steps = self.steps.plan()?;
        let reason = global.reason(format!("start {unit}"));
        let plan = switch(global, &reason, |view| {
            Rollouts::plan_start(view, channel, unit, &steps)
        });
        let plan = plan.await?;
        if plan.action == SwitchAction::Put {
            let note = "the channel served nothing: the unit got everything at once";
            global.output().note(note);
        }
        Ok(Answer::Yes)
    }
}

impl Put {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let Target { channel, unit } = &self.target;
        let reason = global.reason(format!("put {unit}"));
        switch(global, &reason, |view| {
            Rollouts::plan_put(view, channel, unit)
        })
        .await?;
        Ok(Answer::Yes)
    }
}

impl Promote {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason("promote by hand");
        let plan = |view: &View| Rollouts::plan_promote(view, &self.channel, &reason);
        switch(global, &reason, plan).await?;
        Ok(Answer::Yes)
    }
}

impl Rollback {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason("roll back by hand");
        let plan = |view: &View| Rollouts::plan_rollback(view, &self.channel, &reason);
        switch(global, &reason, plan).await?;
        Ok(Answer::Yes)
    }
}

/// Plans, applies exactly that plan, and prints it.
async fn switch(
    global: &Global,
    reason: &str,
    plan: impl Fn(&View) -> Result<SwitchPlan> + Send + Sync,
) -> Result<SwitchPlan> {
    let actor = global.actor()?;
    let workspace = global.open().await?;
    let rollouts = workspace.rollouts();
    let mut attempt = 1;
    let applied = loop {
        let plan = workspace.repo().read(&plan).await?;
        match rollouts.apply(plan.clone(), actor.clone(), reason).await {
            Ok(_) => break plan,
            Err(error) if error.kind() == ErrorKind::Conflict && attempt < MAX_ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    };
    global
        .output()
        .result(&applied, |out| write!(out, "{applied}"))?;
    Ok(applied)
}
