//! Drawings of a graph, and what other tools read.

mod dot;
mod layout;
mod mermaid;
mod openlineage;
mod prov;
pub(crate) mod svg;
mod tree;

use mainstay_core::{Edge, EdgeKind, NodeRef};

pub use tree::MAX_TREE_DEPTH;

use crate::graph::{Graph, Presence};

/// Says in words what an edge means: its role where that says it all, else its kind as well.
fn caption(edge: &Edge) -> String {
    let kind = edge.kind.as_str().replace('_', " ");
    match (&edge.role, edge.kind) {
        (Some(role), EdgeKind::Used | EdgeKind::Contains) => role.to_string(),
        (Some(role), _) => format!("{kind} ({role})"),
        (None, _) => kind,
    }
}

impl Graph {
    /// Names a node with what a reader has to know of it, as `model:fraud@1.0.0 (called risk now, deleted)`.
    #[must_use]
    pub fn label(&self, node: &NodeRef) -> String {
        let called = self.called(node).map(|name| format!("called {name} now"));
        let presence = self.presence(node).and_then(remark).map(str::to_owned);
        let remarks: Vec<String> = called.into_iter().chain(presence).collect();
        if remarks.is_empty() {
            node.to_string()
        } else {
            format!("{node} ({})", remarks.join(", "))
        }
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
