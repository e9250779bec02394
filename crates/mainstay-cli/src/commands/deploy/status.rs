//! `mainstay deploy status`

use mainstay::repo::View;
use std::io::{self, Write};

use clap::Args;
use mainstay::rollout::{self, Phase, Rollouts};
use mainstay::{Name, Result};

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, BOLD, CAUTION, Cell, Fields, GOOD, when};

/// Show how a channel stands: what serves, and how its newest rollout is doing
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy status prod")]
pub(crate) struct Status {
    /// The channel
    channel: Name,
}

impl Status {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let view = global.open().await?.repo().view().await?;
        let status = |view: &View| Rollouts::status(view, &self.channel);
        let status = view.read(status).await?;
        global.output().result(&status, |out| write(&status, out))?;
        Ok(Answer::Yes)
    }
}

/// Writes how a channel stands.
pub(super) fn write(status: &rollout::Status, out: &mut dyn Write) -> io::Result<()> {
    let style = match status.state {
        Phase::Running | Phase::Completed => GOOD,
        Phase::Paused | Phase::Superseded => CAUTION,
        Phase::RolledBack => BAD,
    };
    let step = status.state.is_live().then(|| {
        let (step, requests) = (status.step + 1, status.step_requests);
        let (steps, wanted) = (status.shares.len(), status.min_requests_per_step);
        let (control, canary) = (requests.control, requests.canary);
        format!("{step} of {steps}; requests {control} and {canary} of {wanted}")
    });
    let candidate = Some(&status.candidate).filter(|unit| **unit != status.unit);
    let fields = Fields::new()
        .with("channel", Cell::new(&status.channel, BOLD))
        .with("serves", &status.unit)
        .with_some("candidate", candidate)
        .with("rollout", &status.rollout)
        .with("state", Cell::new(status.state, style))
        .with_some("step", step)
        .with("traffic", status.weights);
    let guardrails = status.guardrails.iter();
    guardrails
        .fold(fields, |fields, guardrail| {
            fields.with(guardrail.name.as_str(), guardrail.report)
        })
        .with_some("observed until", status.observed_until.map(when))
        .with("last", &status.last_event)
        .write(out)
}
