//! Which changes of refs concern what is compared.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{EdgeKind, NodeKind, NodeRef, RefPath};
use mainstay_repo::{Mention, RefChange, Value};

use super::{Component, Severity};

/// Which entries of the log may tell of what is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Those after this one do,
    pub(super) after: u64,
    /// up to this one,
    pub(super) upto: u64,
    /// and of those after this one only what says that it is in use or no more.
    pub(super) made: u64,
}

impl Span {
    /// Reports whether what a mention says of something compared [touches](Concern::touches) it.
    pub(super) fn counts(&self, mention: &Mention) -> bool {
        let from = NodeRef::from_ref_path(&mention.path).map(|node| node.kind());
        mention.seq <= self.made
            || mention
                .edge
                .is_none_or(|edge| from.is_some_and(|from| is_rollout(from, edge)))
    }
}

/// The things that are compared.
#[derive(Debug)]
pub(super) struct Concern {
    pub(super) nodes: BTreeSet<NodeRef>,
    /// The first two segments of their refs: the kind and the name.
    things: BTreeSet<(String, String)>,
    /// How telling it is that the comparison came to these.
    telling: BTreeMap<NodeRef, Severity>,
}

impl Concern {
    pub(super) fn of(a: &NodeRef, b: &NodeRef, components: &[Component]) -> Self {
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

    /// Returns the prefixes of the refs of all things that are compared.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = String> {
        self.things
            .iter()
            .map(|(kind, name)| format!("{kind}/{name}"))
    }

    /// Reports whether a change concerns what is compared.
    ///
    /// While both were made, what touched either, a part, another version or a name of these; later, what
    /// made a name point to one, rolled one out, or deleted one.
    pub(super) fn touches(&self, change: &RefChange, span: &Span) -> bool {
        let points = change
            .value
            .as_ref()
            .and_then(Value::pointee)
            .is_some_and(|node| self.nodes.contains(&node));
        let version = NodeRef::from_ref_path(&change.path);
        let is_one = version
            .as_ref()
            .is_some_and(|node| self.nodes.contains(node));
        let is_later = change.seq > span.made;
        let edges = change.value.iter().flat_map(|value| &value.edges);
        let mut naming = edges.filter(|edge| self.nodes.contains(&edge.to));
        points
            || is_one
            || (!is_later && self.is_own(&change.path))
            || version.is_some_and(|from| {
                naming.any(|edge| !is_later || is_rollout(from.kind(), edge.kind))
            })
    }

    /// Says how much of the difference a change may explain: what it committed, made a name point to, or
    /// began to roll out.
    pub(super) fn explains(&self, change: &RefChange) -> Severity {
        let version = NodeRef::from_ref_path(&change.path);
        let pointee = change.value.as_ref().and_then(Value::pointee);
        let from = version.as_ref().map(NodeRef::kind);
        let edges = change.value.iter().flat_map(|value| &value.edges);
        let rolled_out = edges
            .filter(|edge| from.is_some_and(|from| is_rollout(from, edge.kind)))
            .map(|edge| &edge.to);
        let brought = pointee.as_ref().or(version.as_ref()).into_iter();
        let known = brought.chain(rolled_out);
        let known = known.filter_map(|node| self.telling.get(node)).copied();
        known.max().unwrap_or(Severity::None)
    }

    fn is_own(&self, path: &RefPath) -> bool {
        let mut segments = path.segments().map(str::to_owned);
        match (segments.next(), segments.next()) {
            (Some(kind), Some(name)) => self.things.contains(&(kind, name)),
            _ => false,
        }
    }
}

/// Instances that begin to serve come and go by the thousand, and say it by heartbeats.
fn is_rollout(from: NodeKind, edge: EdgeKind) -> bool {
    edge == EdgeKind::Deploys && from != NodeKind::Deployment
}
