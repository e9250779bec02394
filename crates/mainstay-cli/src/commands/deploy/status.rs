//! `mainstay deploy status`

use std::io::{self, Write};

use clap::Args;
use mainstay::rollout::{self, Phase, Rollouts};
use mainstay::{Name, Result};

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, BOLD, CAUTION, Cell, GOOD, fields, when};

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
        let status = Rollouts::status(&view, &self.channel)?;
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
    let step = if status.state.is_live() {
        let requests = status.step_requests;
        format!(
            "{} of {}; requests {} and {} of {}",
            status.step + 1,
            status.shares.len(),
            requests.control,
            requests.canary,
            status.min_requests_per_step
        )
    } else {
        String::new()
    };
    let candidate = if status.candidate == status.unit {
        String::new()
    } else {
        status.candidate.to_string()
    };
    let head = [
        ("channel", Cell::new(&status.channel, BOLD)),
        ("serves", (&status.unit).into()),
        ("candidate", candidate.into()),
        ("rollout", (&status.rollout).into()),
        ("state", Cell::new(status.state, style)),
        ("step", step.into()),
        ("traffic", status.weights.into()),
    ];
    let guardrails = status
        .guardrails
        .iter()
        .map(|guardrail| (guardrail.name.as_str(), guardrail.report.into()));
    let tail = [
        (
            "observed until",
            status.observed_until.map(when).unwrap_or_default().into(),
        ),
        ("last", (&status.last_event).into()),
    ];
    fields(out, head.into_iter().chain(guardrails).chain(tail))
}
