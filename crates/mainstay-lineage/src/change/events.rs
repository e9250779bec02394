//! What the log says happened between two things.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures::TryStreamExt as _;
use mainstay_core::{Actor, NodeRef, RefPath, Result, Timestamp};
use mainstay_repo::{LogEntry, RefChange, Repo, Value};
use serde::Serialize;

use super::{Component, Severity};

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
    /// How much of the difference it may explain: the severity of the most telling part that changed to
    /// a version which it committed, or which it made a name point to. A name that was made to point to
    /// the whole of `b`, as a channel is, counts as the most telling of all parts.
    pub explains: Severity,
}

/// Reads the entries after entry `from`, up to entry `to`, that touched either, one of their parts, or a name that points to one. Returns them with how many older ones were left out.
pub(super) async fn between(
    repo: &Repo,
    (from, to): (u64, u64),
    (a, b): (&NodeRef, &NodeRef),
    components: &[Component],
) -> Result<(Vec<Event>, u64)> {
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
    /// How telling it is that the comparison came to these.
    telling: BTreeMap<NodeRef, Severity>,
}

impl Concern {
    fn of(a: &NodeRef, b: &NodeRef, components: &[Component]) -> Self {
        let parts = components
            .iter()
            .flat_map(|part| part.a.iter().chain(&part.b));
        let nodes: BTreeSet<NodeRef> = parts.chain([a, b]).cloned().collect();
        let thing = |node: &NodeRef| (node.kind().to_string(), node.name().to_string());
        let mut telling: BTreeMap<NodeRef, Severity> = BTreeMap::new();
        let changed = components.iter().filter(|part| part.changed);
        let ends = changed.filter_map(|part| Some((part.b.as_ref()?, part.severity)));
        let most = components.iter().map(|part| part.severity).max();
        for (node, severity) in ends.chain(most.map(|most| (b, most))) {
            let known = telling.entry(node.clone()).or_insert(severity);
            *known = severity.max(*known);
        }
        Self {
            telling,
            things: nodes.iter().map(thing).collect(),
            nodes,
        }
    }

    fn event(&self, entry: LogEntry) -> Option<Event> {
        let touching: Vec<RefChange> = entry
            .changes
            .into_iter()
            .filter(|change| self.touches(change))
            .collect();
        let explains = touching.iter().map(|change| self.explains(change)).max();
        let refs: Vec<RefPath> = touching.into_iter().map(|change| change.path).collect();
        (!refs.is_empty()).then_some(Event {
            seq: entry.seq,
            time: entry.time,
            actor: entry.actor,
            reason: entry.reason,
            refs,
            explains: explains.unwrap_or(Severity::None),
        })
    }

    fn explains(&self, change: &RefChange) -> Severity {
        let pointee = change.value.as_ref().and_then(Value::pointee);
        let node = pointee.or_else(|| NodeRef::from_ref_path(&change.path));
        let known = node.and_then(|node| self.telling.get(&node));
        known.copied().unwrap_or(Severity::None)
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
