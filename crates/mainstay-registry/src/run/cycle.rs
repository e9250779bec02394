//! Keeps the lineage free of cycles: a run must not use what it made.

use std::collections::BTreeSet;

use mainstay_core::{Error, NodeRef, Result};
use mainstay_repo::View;

/// Refuses an input that came from `run`, on any way.
///
/// Versions name what was there before them, so that only a run, which may come to use something that
/// was made after it began, can close a circle.
///
/// Complexity: O(n log n) in what the inputs came from.
pub(super) fn check_free<'n>(
    view: &View,
    run: &NodeRef,
    inputs: impl Iterator<Item = &'n NodeRef>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    for input in inputs {
        if comes_from(view, input, run, &mut seen)? {
            return Err(Error::invalid("a run cannot use what it made")
                .context("run", run)
                .context("input", input));
        }
    }
    Ok(())
}

fn comes_from(
    view: &View,
    start: &NodeRef,
    run: &NodeRef,
    seen: &mut BTreeSet<NodeRef>,
) -> Result<bool> {
    let mut pending = vec![start.clone()];
    while let Some(node) = pending.pop() {
        if node == *run {
            return Ok(true);
        }
        let state = view.get(&node.ref_path())?;
        let edges = state.and_then(|state| state.value.as_ref());
        for edge in edges.map_or(&[][..], |value| &value.edges) {
            if seen.insert(edge.to.clone()) {
                pending.push(edge.to.clone());
            }
        }
    }
    Ok(false)
}
