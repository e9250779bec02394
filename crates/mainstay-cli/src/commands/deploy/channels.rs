//! `mainstay deploy list` and `mainstay deploy log`

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay::rollout::{ChannelEvent, Rollouts, Status};
use mainstay::{Name, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, when};

/// List the channels and what they serve
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy list")]
pub(crate) struct List {}

/// Show what happened in a channel, newest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay deploy log prod -n 5")]
pub(crate) struct Log {
    /// The channel
    channel: Name,
    /// Show at most so many events
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    limit: usize,
}

#[derive(Serialize)]
struct Channels {
    channels: Vec<Status>,
}

#[derive(Serialize)]
struct Events {
    events: Vec<ChannelEvent>,
}

impl List {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let view = global.open().await?.repo().view().await?;
        let channels = view.read(|view| {
            let names = Rollouts::channels(view)?;
            names
                .iter()
                .map(|name| Rollouts::status(view, name))
                .collect()
        });
        let document = Channels {
            channels: channels.await?,
        };
        let output = global.output();
        output.result(&document, |out| {
            let mut table = Table::new(["channel", "serves", "rollout", "state", "traffic"]);
            for status in &document.channels {
                table.row([
                    (&status.channel).into(),
                    (&status.unit).into(),
                    (&status.rollout).into(),
                    status.state.into(),
                    status.weights.into(),
                ]);
            }
            table.write(out)
        })?;
        if document.channels.is_empty() {
            output.note("no channels; see mainstay deploy start");
        }
        Ok(Answer::Yes)
    }
}

impl Log {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let rollouts = global.open().await?.rollouts();
        let history = rollouts.history(&self.channel).await?;
        let events = history.take(self.limit).try_collect().await?;
        let document = Events { events };
        global.output().result(&document, |out| {
            let mut table =
                Table::new(["entry", "time", "rollout", "by", "event"]).numbers_in(&[0]);
            for event in &document.events {
                table.row([
                    event.seq.into(),
                    Cell::new(when(event.time), DIM),
                    (&event.rollout).into(),
                    (&event.actor).into(),
                    (&event.event).into(),
                ]);
            }
            table.write(out)
        })?;
        Ok(Answer::Yes)
    }
}
