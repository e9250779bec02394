//! Questions about two nodes: what both came from, and how one came from the other.

use std::collections::BTreeSet;

use mainstay_core::{Edge, NodeRef, Result};
use serde::Serialize;

use crate::graph::{Direction, Graph};
use crate::walk::WalkOptions;

/// The most steps that are tried for the paths between two nodes.
const MAX_STEPS: usize = 1_000_000;

/// One way from a node to what it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Path {
    /// The node that the way begins with.
    pub start: NodeRef,
    /// The edges along it, each with the node that it leads to.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// Finds the nearest things that both came from: those common ancestors from which no other one
    /// came. One of the two itself, if the other came from it. In order.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when the graph does not know one.
    ///
    /// # Complexity
    /// O(c · n log n) for c nearest common ancestors among n ancestors.
    pub fn common(&self, a: &NodeRef, b: &NodeRef, options: &WalkOptions) -> Result<Vec<NodeRef>> {
        let above = |node: &NodeRef| -> Result<Vec<NodeRef>> {
            let walk = self.ancestors(node, options)?;
            let reached = walk.reached.into_iter().map(|reached| reached.node);
            Ok(std::iter::once(node.clone()).chain(reached).collect())
        };
        let of_b: BTreeSet<NodeRef> = above(b)?.into_iter().collect();
        // Nearest first, so that most of what lies above another is told before it is looked at.
        let common = above(a)?.into_iter().filter(|node| of_b.contains(node));
        let (mut nearest, mut beyond) = (BTreeSet::new(), BTreeSet::new());
        for node in common {
            if beyond.contains(&node) {
                continue;
            }
            for further in above(&node)?.into_iter().skip(1) {
                nearest.remove(&further);
                beyond.insert(further);
            }
            nearest.insert(node);
        }
        Ok(nearest.into_iter().collect())
    }

    /// Lists ways from `start` to `end`, which it came from, shortest first; at most `most` of them.
    ///
    /// No way visits a node twice. In a graph of very many ways, those tried in a million steps are
    /// listed.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when the graph does not know one.
    pub fn paths(
        &self,
        start: &NodeRef,
        end: &NodeRef,
        options: &WalkOptions,
        most: usize,
    ) -> Result<Vec<Path>> {
        self.check(start)?;
        // Only what leads to the end is stepped on.
        let leading = self.descendants(end, options)?.reached.into_iter();
        let leading: BTreeSet<NodeRef> = leading.map(|reached| reached.node).collect();
        let mut found = Vec::new();
        let mut waiting = std::collections::VecDeque::new();
        if leading.contains(start) {
            waiting.push_back(Path {
                start: start.clone(),
                edges: Vec::new(),
            });
        }
        let mut steps = 0;
        while let Some(path) = waiting.pop_front() {
            let at = path.edges.last().map_or(&path.start, |edge| &edge.to);
            let depth = u32::try_from(path.edges.len() + 1).unwrap_or(u32::MAX);
            if (depth > 1 && options.stops(at)) || !options.allows(depth) {
                continue;
            }
            for (edge, to) in self.neighbors(at, Direction::Up) {
                steps += 1;
                if found.len() == most || steps > MAX_STEPS {
                    return Ok(found);
                }
                let again = to == start || path.edges.iter().any(|before| before.to == *to);
                if again || !options.follows(edge.kind) {
                    continue;
                }
                let mut longer = path.clone();
                longer.edges.push(edge.clone());
                if to == end {
                    found.push(longer);
                } else if leading.contains(to) {
                    waiting.push_back(longer);
                }
            }
        }
        Ok(found)
    }
}
