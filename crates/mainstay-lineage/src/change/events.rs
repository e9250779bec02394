//! What the log says happened between two things.

use std::collections::{BTreeSet, VecDeque};

use futures::TryStreamExt as _;
use mainstay_core::{Actor, NodeRef, RefPath, Result, Timestamp};
use mainstay_repo::{LogEntry, RefChange, Repo, View};
use serde::Serialize;

use super::Component;

/// The most events that are listed: the newest.
pub const MAX_EVENTS: usize = 1_000;

/// A log entry that touched what is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// The log entry.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// Who committed it.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// The refs it changed that concern what is compared.
    pub refs: Vec<RefPath>,
}

/// Reads the entries after the earlier of `a` and `b`, up to the later one, that touched either, one
/// of their parts, or a name that points to one. Returns them with how many older ones were left out.
pub(super) async fn between(
    repo: &Repo,
    view: &View,
    a: &NodeRef,
    b: &NodeRef,
    components: &[Component],
) -> Result<(Vec<Event>, u64)> {
    let span = view.read(|view| {
        let (a, b) = (view.get(&a.ref_path())?, view.get(&b.ref_path())?);
        let [a, b] = [a, b].map(|state| state.map_or(0, |state| state.seq));
        Ok((a.min(b), a.max(b)))
    });
    let (from, to) = span.await?;
    let concern = Concern::of(a, b, components);
    let mut events = VecDeque::new();
    let mut omitted = 0;
    let mut entries = repo.entries(from);
    while let Some(entry) = entries.try_next().await? {
        if entry.seq > to {
            break;
        }
        if let Some(event) = concern.event(entry) {
            if events.len() == MAX_EVENTS {
                events.pop_front();
                omitted += 1;
            }
            events.push_back(event);
        }
    }
    Ok((events.into(), omitted))
}

/// The things that are compared.
struct Concern {
    nodes: BTreeSet<NodeRef>,
    /// The first two segments of their refs: the kind and the name.
    things: BTreeSet<(String, String)>,
}

impl Concern {
    fn of(a: &NodeRef, b: &NodeRef, components: &[Component]) -> Self {
        let parts = components
            .iter()
            .flat_map(|part| part.a.iter().chain(&part.b));
        let nodes: BTreeSet<NodeRef> = parts.chain([a, b]).cloned().collect();
        let thing = |node: &NodeRef| (node.kind().to_string(), node.name().to_string());
        Self {
            things: nodes.iter().map(thing).collect(),
            nodes,
        }
    }

    fn event(&self, entry: LogEntry) -> Option<Event> {
        let refs: Vec<RefPath> = entry
            .changes
            .into_iter()
            .filter(|change| self.touches(change))
            .map(|change| change.path)
            .collect();
        (!refs.is_empty()).then_some(Event {
            seq: entry.seq,
            time: entry.time,
            actor: entry.actor,
            reason: entry.reason,
            refs,
        })
    }

    fn touches(&self, change: &RefChange) -> bool {
        let mut segments = change.path.segments().map(str::to_owned);
        let own = match (segments.next(), segments.next()) {
            (Some(kind), Some(name)) => self.things.contains(&(kind, name)),
            _ => false,
        };
        own || change.value.as_ref().is_some_and(|value| {
            value
                .pointee()
                .is_some_and(|node| self.nodes.contains(&node))
                || value.edges.iter().any(|edge| self.nodes.contains(&edge.to))
        })
    }
}
