//! `mainstay deploy follow`

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use mainstay::rollout::Rollouts;
use mainstay::{Error, Name, RefPath, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::Table;

/// Let pointers of other kinds follow a channel, or show which do
///
/// A followed label, alias or tag is pointed to the unit's component of a slot in the same log entry
/// that switches the channel, forwards and back.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy follow prod prompt=prompt/support/label/production model=model/intent/alias/live
  mainstay deploy follow prod --remove model/intent/alias/live
  mainstay deploy follow prod")]
pub(crate) struct Follow {
    /// The channel
    channel: Name,
    /// Pointers to let follow, each with the slot whose component it follows
    #[arg(value_name = "SLOT=REF")]
    add: Vec<Link>,
    /// A pointer that shall follow no longer; may be repeated
    #[arg(long, value_name = "REF")]
    remove: Vec<RefPath>,
}

/// `slot=kind/name/family/pointer`.
#[derive(Debug, Clone)]
struct Link {
    slot: Name,
    pointer: RefPath,
}

impl FromStr for Link {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (slot, pointer) = text
            .split_once('=')
            .ok_or_else(|| Error::invalid("expected SLOT=KIND/NAME/FAMILY/POINTER"))?;
        Ok(Self {
            slot: slot.parse()?,
            pointer: pointer.parse()?,
        })
    }
}

#[derive(Serialize)]
struct Document<'a> {
    channel: &'a Name,
    follows: &'a BTreeMap<RefPath, Name>,
}

impl Follow {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let channel = &self.channel;
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let mut config = view.read(|view| Rollouts::config(view, channel)).await?;
        let before = config.clone();
        for pointer in &self.remove {
            if config.follows.remove(pointer).is_none() {
                return Err(Error::not_found("followed ref", pointer).context("channel", channel));
            }
        }
        for Link { slot, pointer } in self.add {
            config = config.with_follow(slot, pointer);
        }
        if config != before {
            let reason = global.reason("set what follows");
            let rollouts = workspace.rollouts();
            let actor = global.actor()?;
            rollouts.configure(channel, &config, actor, &reason).await?;
        }
        let follows = &config.follows;
        let output = global.output();
        output.result(&Document { channel, follows }, |out| {
            let mut table = Table::new(["pointer", "follows"]);
            for (pointer, slot) in follows {
                table.row([pointer.into(), slot.into()]);
            }
            table.write(out)
        })?;
        if follows.is_empty() {
            output.note("nothing follows");
        }
        Ok(Answer::Yes)
    }
}
