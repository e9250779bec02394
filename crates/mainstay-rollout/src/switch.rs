//! Plans: what a switch would do, before it does it.

use std::fmt;

use mainstay_core::{Name, NodeRef};
use serde::Serialize;

use crate::Status;
use crate::draft::{Draft, PointerMove};
use crate::machine::percent;

/// What a switch of traffic would do: computed without effect, printable, then applied or dropped.
///
/// Applying it is refused when any ref it read or would write has changed since.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SwitchPlan {
    /// The channel.
    pub channel: Name,
    /// What is done.
    pub action: SwitchAction,
    /// The rollout that begins or changes.
    pub rollout: NodeRef,
    /// The unit that gives up traffic; `None` when the channel serves nothing yet.
    pub from: Option<NodeRef>,
    /// The unit that gets it.
    pub to: NodeRef,
    /// The rollout that is stopped by this one.
    pub supersedes: Option<NodeRef>,
    /// The pointers that move.
    pub moves: Vec<PointerMove>,
    /// How the channel will stand.
    pub after: Status,
    #[serde(skip)]
    pub(crate) draft: Draft,
}

/// What a [`SwitchPlan`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SwitchAction {
    /// Gives a unit everything at once.
    Put,
    /// Begins a rollout.
    Start,
    /// Gives a running rollout's candidate everything.
    Promote,
    /// Gives the baseline everything again.
    RollBack,
}

impl fmt::Display for SwitchAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Put => "put",
            Self::Start => "start",
            Self::Promote => "promote",
            Self::RollBack => "roll back",
        })
    }
}

impl fmt::Display for SwitchPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} {} in channel {}",
            self.action, self.rollout, self.channel
        )?;
        match &self.from {
            Some(from) => writeln!(f, "  from    {from}")?,
            None => writeln!(f, "  from    nothing")?,
        }
        writeln!(f, "  to      {}", self.to)?;
        writeln!(f, "  traffic {}", self.after.weights)?;
        if !self.after.shares.is_empty() {
            let steps: Vec<String> = self.after.shares.iter().map(|s| percent(*s)).collect();
            writeln!(f, "  steps   {}, 100 %", steps.join(", "))?;
        }
        for guardrail in &self.after.guardrails {
            writeln!(f, "  watches {}: {}", guardrail.name, guardrail.report)?;
        }
        if let Some(stopped) = &self.supersedes {
            writeln!(f, "  stops   {stopped}")?;
        }
        for pointer_move in &self.moves {
            writeln!(f, "  moves   {pointer_move}")?;
        }
        Ok(())
    }
}
