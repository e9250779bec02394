//! Pairs the parts of two things.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{EdgeKind, NodeRef, Result};
use mainstay_repo::View;

use super::value;

/// One part on both sides; at least one side is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) slot: String,
    pub(super) a: Option<NodeRef>,
    pub(super) b: Option<NodeRef>,
}

impl Pair {
    pub(super) fn ends(&self) -> (Option<NodeRef>, Option<NodeRef>) {
        (self.a.clone(), self.b.clone())
    }
}

/// Pairs what `a` and `b` refer to by edges of one kind, slot by slot; a slot is the edge's role, or
/// the kind of what it refers to.
///
/// Where a slot holds several things, those on both sides are paired with themselves, then those of
/// one name with each other, then the rest in order.
pub(super) fn pairs(
    view: &View,
    a: Option<&NodeRef>,
    b: Option<&NodeRef>,
    kind: EdgeKind,
    within: Option<&str>,
) -> Result<Vec<Pair>> {
    let (mut left, mut right) = (slots(view, a, kind)?, slots(view, b, kind)?);
    let names: BTreeSet<String> = left.keys().chain(right.keys()).cloned().collect();
    let mut pairs = Vec::new();
    for name in names {
        let left = left.remove(&name).unwrap_or_default();
        let right = right.remove(&name).unwrap_or_default();
        let slot = match within {
            Some(within) => format!("{within}/{name}"),
            None => name,
        };
        pairs.extend(matched(left, right).into_iter().map(|(a, b)| Pair {
            slot: slot.clone(),
            a,
            b,
        }));
    }
    Ok(pairs)
}

fn slots(
    view: &View,
    node: Option<&NodeRef>,
    kind: EdgeKind,
) -> Result<BTreeMap<String, Vec<NodeRef>>> {
    let mut slots: BTreeMap<String, Vec<NodeRef>> = BTreeMap::new();
    let held = match node {
        Some(node) => value(view, node)?,
        None => None,
    };
    let edges = held.map_or(&[][..], |value| &value.edges);
    for edge in edges.iter().filter(|edge| edge.kind == kind) {
        let slot = match &edge.role {
            Some(role) => role.to_string(),
            None => edge.to.kind().to_string(),
        };
        slots.entry(slot).or_default().push(edge.to.clone());
    }
    Ok(slots)
}

type Ends = (Option<NodeRef>, Option<NodeRef>);

fn matched(left: Vec<NodeRef>, right: Vec<NodeRef>) -> Vec<Ends> {
    let mut pairs = Vec::new();
    let (left, right) = take(left, right, &mut pairs, |a, b| a == b);
    let same_thing = |a: &NodeRef, b: &NodeRef| (a.kind(), a.name()) == (b.kind(), b.name());
    let (left, right) = take(left, right, &mut pairs, same_thing);
    let same_kind = |a: &NodeRef, b: &NodeRef| a.kind() == b.kind();
    let (left, right) = take(left, right, &mut pairs, same_kind);
    pairs.extend(left.into_iter().map(|a| (Some(a), None)));
    pairs.extend(right.into_iter().map(|b| (None, Some(b))));
    pairs
}

/// Moves to `pairs` each of `left` with the first of `right` that fits; returns the rest.
fn take(
    left: Vec<NodeRef>,
    mut right: Vec<NodeRef>,
    pairs: &mut Vec<Ends>,
    fits: impl Fn(&NodeRef, &NodeRef) -> bool,
) -> (Vec<NodeRef>, Vec<NodeRef>) {
    let mut rest = Vec::new();
    for a in left {
        match right.iter().position(|b| fits(&a, b)) {
            Some(index) => pairs.push((Some(a), Some(right.remove(index)))),
            None => rest.push(a),
        }
    }
    (rest, right)
}
