//! What a version may say of its lineage.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Edge, Error, NodeRef, Result};

use crate::transaction::{Action, Change};
use crate::{Value, View};

/// The versions that a transaction sets, and their edges.
type Set<'t> = BTreeMap<NodeRef, &'t [Edge]>;

/// Checks that the edges of the versions that are set join what their kinds may join.
///
/// # Errors
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) naming the version and the edge.
pub(crate) fn check_kinds(changes: &[Change]) -> Result<()> {
    for (from, edges) in set(changes) {
        for edge in edges {
            if !edge.kind.joins(from.kind(), edge.to.kind()) {
                return Err(refuse("no edge of this kind may join these", &from, edge));
            }
        }
    }
    Ok(())
}

/// Checks that no version would come from itself.
///
/// Versions are written once, so that only what was named before it was there can close a cycle: a
/// version that another names already, or one that another of the transaction names. Costs one look
/// at who names each, and one walk to all that came from those that somebody does.
///
/// # Errors
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) naming a version and the edge by which it would come
/// from itself; those of the view.
pub(super) fn check_acyclic(view: &View, changes: &[Change]) -> Result<()> {
    let lineage = Lineage::new(view, set(changes));
    let mut seen = BTreeSet::new();
    for start in lineage.set.keys() {
        if seen.contains(start) {
            continue;
        }
        // Depth first; what is on the way comes from what is before it.
        let mut way = vec![Step::to(&lineage, start.clone())?];
        let mut on_way = BTreeSet::from([start.clone()]);
        while let Some(step) = way.last_mut() {
            let Some(next) = step.dependents.pop() else {
                on_way.remove(&step.node);
                seen.extend(way.pop().map(|step| step.node));
                continue;
            };
            if on_way.contains(&next) {
                let begin = way.iter().position(|step| step.node == next);
                lineage.check_cycle(&way[begin.unwrap_or(0)..])?;
            } else if !seen.contains(&next) {
                on_way.insert(next.clone());
                way.push(Step::to(&lineage, next)?);
            }
        }
    }
    Ok(())
}

/// A version and those of its dependents that have not been looked at.
struct Step {
    node: NodeRef,
    dependents: Vec<NodeRef>,
}

impl Step {
    fn to(lineage: &Lineage<'_>, node: NodeRef) -> Result<Self> {
        let dependents = lineage.dependents(&node)?;
        Ok(Self { node, dependents })
    }
}

/// Lineage as it will be once the transaction is committed.
struct Lineage<'t> {
    view: &'t View,
    set: Set<'t>,
    /// Which versions of the transaction name a version.
    naming: BTreeMap<&'t NodeRef, Vec<NodeRef>>,
}

impl<'t> Lineage<'t> {
    fn new(view: &'t View, set: Set<'t>) -> Self {
        let mut naming: BTreeMap<&NodeRef, Vec<NodeRef>> = BTreeMap::new();
        for (from, edges) in &set {
            for edge in *edges {
                naming.entry(&edge.to).or_default().push(from.clone());
            }
        }
        Self { view, set, naming }
    }

    fn dependents(&self, node: &NodeRef) -> Result<Vec<NodeRef>> {
        let mut found = self.naming.get(node).cloned().unwrap_or_default();
        for dependent in self.view.dependents(node)? {
            let from = dependent.from;
            if self.set.contains_key(&from) {
                continue;
            }
            let state = self.view.state(&from.ref_path())?;
            // What a deleted version came from stays its lineage.
            let value = state.and_then(|state| state.value.as_ref());
            if value.is_none_or(|value| value.edges.iter().any(|edge| edge.to == *node)) {
                found.push(from);
            }
        }
        Ok(found)
    }

    /// Refuses a cycle, each of which comes from the one before it and the first from the last, unless it
    /// was there before.
    fn check_cycle(&self, cycle: &[Step]) -> Result<()> {
        let before = cycle.iter().cycle().skip(cycle.len().saturating_sub(1));
        for (step, before) in cycle.iter().zip(before) {
            let edges = self.set.get(&step.node).copied().unwrap_or_default();
            if let Some(edge) = edges.iter().find(|edge| edge.to == before.node) {
                let why = "a version cannot come from itself";
                return Err(refuse(why, &step.node, edge));
            }
        }
        Ok(())
    }
}

fn set(changes: &[Change]) -> Set<'_> {
    let with_edges = changes.iter().filter_map(|change| match &change.action {
        Action::Set(Value { edges, .. }) if !edges.is_empty() => {
            Some((NodeRef::from_ref_path(&change.path)?, edges.as_slice()))
        }
        _ => None,
    });
    with_edges.collect()
}

fn refuse(why: &'static str, from: &NodeRef, edge: &Edge) -> Error {
    Error::invalid(why)
        .context("version", from)
        .context("edge", edge.kind)
        .context("to", &edge.to)
}
