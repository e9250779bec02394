//! What happened in a channel.

use futures::stream::{self, BoxStream, StreamExt};
use mainstay_core::{Actor, Error, Name, NodeRef, Result, Timestamp};
use mainstay_repo::{RefChange, Repo};
use serde::Serialize;

use crate::channel::{Channel, STATE_KIND};
use crate::{Event, Observed, Phase, RolloutState, record};

/// One change of a rollout, as the log tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChannelEvent {
    /// The log entry.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// Why, as given or as decided.
    pub reason: String,
    /// The rollout.
    pub rollout: NodeRef,
    /// Where it stood then.
    pub state: Phase,
    /// Its step then, from 0.
    pub step: u32,
    /// The window that led to it; `None` when it was a command.
    pub window: Option<Observed>,
    /// What happened.
    pub event: Event,
}

pub(super) async fn history(
    repo: &Repo,
    channel: &Name,
) -> Result<BoxStream<'static, Result<ChannelEvent>>> {
    let paths = repo.read(|view| {
        let channel = Channel::new(view, channel);
        let rollouts = channel.rollout_nodes()?.into_iter();
        rollouts
            .map(|rollout| Ok((channel.state_path(&rollout)?, rollout)))
            .collect::<Result<Vec<_>>>()
    });
    let paths = paths.await?;
    if paths.is_empty() {
        return Err(Error::not_found("channel", channel));
    }
    let repo = repo.clone();
    let events = stream::iter(paths).flat_map(move |(path, rollout)| {
        repo.history(&path)
            .filter_map(move |change| {
                let event = change.and_then(|change| event(change, &rollout));
                std::future::ready(event.transpose())
            })
            .boxed()
    });
    Ok(events.boxed())
}

fn event(change: RefChange, rollout: &NodeRef) -> Result<Option<ChannelEvent>> {
    let Some(value) = &change.value else {
        return Ok(None);
    };
    let state: RolloutState = record::decode(value, STATE_KIND, &change.path)?;
    Ok(Some(ChannelEvent {
        seq: change.seq,
        time: change.time,
        actor: change.actor,
        reason: change.reason,
        rollout: rollout.clone(),
        state: state.phase,
        step: state.step,
        window: state.window,
        event: state.last_event,
    }))
}
