//! What a version continues: the graph of parents.

use std::collections::BTreeSet;

use mainstay_core::{Edge, EdgeKind, Error, NodeKind, NodeRef, Result};
use mainstay_repo::View;

use super::version_number;

/// A version and when it was committed, ordered from the oldest.
type Aged = (u64, u64, NodeRef);

/// Reports whether an edge of a version of `node`'s dataset names a parent: what it continues, in
/// contrast to what it was made from in some role.
pub(super) fn is_parent(edge: &Edge, node: &NodeRef) -> bool {
    edge.kind == EdgeKind::DerivedFrom
        && edge.role.is_none()
        && edge.to.kind() == NodeKind::Data
        && edge.to.name() == node.name()
}

/// Returns the parents of a version: none for the first, two for a merge.
pub(super) fn parents<'e>(
    edges: &'e [Edge],
    node: &'e NodeRef,
) -> impl Iterator<Item = &'e NodeRef> {
    let parents = edges.iter().filter(|edge| is_parent(edge, node));
    parents.map(|edge| &edge.to)
}

/// Lists a version and everything it continues, newest first; deleted versions end a line.
///
/// Complexity: O(n log n) in what it finds.
pub(super) fn ancestors(view: &View, node: &NodeRef) -> Result<Vec<NodeRef>> {
    let mut found = Vec::new();
    let mut pending: BTreeSet<Aged> = aged(view, node)?.into_iter().collect();
    if pending.is_empty() {
        return Err(Error::not_found("data", node));
    }
    // A parent is older than what continues it, so nothing that was taken comes again.
    while let Some((_, _, next)) = pending.pop_last() {
        let state = view.get(&next.ref_path())?;
        if let Some(value) = state.and_then(|state| state.value.as_ref()) {
            for parent in parents(&value.edges, &next) {
                pending.extend(aged(view, parent)?);
            }
        }
        found.push(next);
    }
    Ok(found)
}

/// Reports whether `old` is `new` or an ancestor of it.
pub(super) fn continues(view: &View, new: &NodeRef, old: &NodeRef) -> Result<bool> {
    Ok(ancestors(view, new)?.contains(old))
}

/// Returns the versions that both continue and that none of the others continues, newest first: one, unless
/// lines were merged crosswise, and none where they have nothing in common.
pub(super) fn merge_bases(view: &View, a: &NodeRef, b: &NodeRef) -> Result<Vec<NodeRef>> {
    let of_a: BTreeSet<NodeRef> = ancestors(view, a)?.into_iter().collect();
    let common = ancestors(view, b)?.into_iter();
    let (mut bases, mut continued) = (Vec::new(), BTreeSet::new());
    for node in common.filter(|node| of_a.contains(node)) {
        // What continues a version is newer, so it came before.
        if !continued.contains(&node) {
            continued.extend(ancestors(view, &node)?);
            bases.push(node);
        }
    }
    Ok(bases)
}

fn aged(view: &View, node: &NodeRef) -> Result<Option<Aged>> {
    let Some(state) = view.get(&node.ref_path())? else {
        return Ok(None);
    };
    Ok(Some((state.seq, version_number(node)?, node.clone())))
}
