//! Drawings of a graph, and what other tools read.

mod dot;
mod layout;
mod mermaid;
mod openlineage;
mod prov;
pub(crate) mod svg;
mod tree;

use mainstay_core::{Edge, EdgeKind};

pub use tree::MAX_TREE_DEPTH;

use crate::graph::Presence;

/// Says in words what an edge means: its role where that says it all, else its kind as well.
fn caption(edge: &Edge) -> String {
    let kind = edge.kind.as_str().replace('_', " ");
    match (&edge.role, edge.kind) {
        (Some(role), EdgeKind::Used | EdgeKind::Contains) => role.to_string(),
        (Some(role), _) => format!("{kind} ({role})"),
        (None, _) => kind,
    }
}

/// Says in words what is wrong with a node, if anything.
fn remark(presence: Presence) -> Option<&'static str> {
    match presence {
        Presence::Present | Presence::External => None,
        Presence::Deleted => Some("deleted"),
        Presence::Absent => Some("missing"),
    }
}
