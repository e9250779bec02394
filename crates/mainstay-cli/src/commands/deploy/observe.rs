//! `mainstay deploy observe`

use std::str::FromStr;

use clap::Args;
use mainstay::experiment::{Outcomes, Verdict};
use mainstay::rollout::Window;
use mainstay::{Clock as _, Error, Name, Result, SystemClock, Timestamp};

use super::status;
use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::BOLD;

/// Feed in what was seen of both arms, and go on, hold or roll back
///
/// Exit code 1 when a guardrail has failed. Each window counts once; name it with --window when
/// sending it twice can happen.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy observe prod --control 950,9 --canary 50,12
  mainstay deploy observe prod --control 950,9 --canary 50,12 --window web-1:17")]
pub(crate) struct Observe {
    /// The channel
    channel: Name,
    /// Requests that the unit served, and how many of them failed
    #[arg(long, value_name = "REQUESTS,FAILURES", value_parser = args::outcomes)]
    control: Outcomes,
    /// Requests that the candidate served, and how many of them failed
    #[arg(long, value_name = "REQUESTS,FAILURES", value_parser = args::outcomes)]
    canary: Outcomes,
    /// Who counted, and which of its windows this is, from 1; one seen before is dropped
    #[arg(long, value_name = "SOURCE:NUMBER")]
    window: Option<Id>,
    /// When the window ended, as 2026-11-24T17:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Id {
    source: Name,
    number: u64,
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (source, number) = text
            .split_once(':')
            .ok_or_else(|| Error::invalid("expected SOURCE:NUMBER"))?;
        Ok(Self {
            source: source.parse()?,
            number: args::count(number)?,
        })
    }
}

impl Observe {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        if global.reason.is_some() {
            let why = "observe takes no --reason: the log records what was seen";
            return Err(Error::invalid(why));
        }
        let at = self.at.unwrap_or_else(|| SystemClock::default().now());
        let mut window = Window::new(self.control, self.canary, at);
        if let Some(Id { source, number }) = self.window {
            window = window.with_id(source, number)?;
        }
        let rollouts = global.open().await?.rollouts();
        let actor = global.actor()?;
        let decision = rollouts.observe(&self.channel, &window, actor).await?;
        let action = serde_json::to_value(decision.action).unwrap_or_default();
        let action = action.as_str().unwrap_or_default().replace('_', " ");
        global.output().result(&decision, |out| {
            writeln!(out, "{BOLD}{action}{BOLD:#}")?;
            status::write(&decision.status, out)
        })?;
        let mut guardrails = decision.status.guardrails.iter();
        let failed = guardrails.any(|guardrail| guardrail.report.verdict == Verdict::Fail);
        Ok(Answer::of(!failed))
    }
}
