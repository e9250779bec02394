//! A tree of text, for terminals.

use std::collections::BTreeSet;

use mainstay_core::{Edge, NodeRef, Result};

use super::caption;
use crate::graph::{Direction, Graph};
use crate::walk::WalkOptions;

/// The deepest level that a tree shows, whatever the options allow.
pub const MAX_TREE_DEPTH: u32 = 64;

impl Graph {
    /// Draws what `start` came from, or what came from it, as a tree of text.
    ///
    /// ```text
    /// unit:penguins@2
    /// ├── env    env:lab@1
    /// └── model  model:species@1.1.0
    ///     ├── code   code:training@9f31c2a
    ///     ├── env    env:lab@1
    ///     └── train  data:penguins@2
    /// ```
    ///
    /// A node whose parts have been drawn is not drawn out again (`see above`); parts beyond the
    /// depth are shown as `…`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when the graph does not know `start`.
    pub fn tree(
        &self,
        start: &NodeRef,
        direction: Direction,
        options: &WalkOptions,
    ) -> Result<String> {
        self.check(start)?;
        let mut drawing = Drawing {
            graph: self,
            direction,
            options,
            drawn: BTreeSet::new(),
            text: String::new(),
        };
        drawing.node(start, "", 1);
        Ok(drawing.text)
    }
}

struct Drawing<'g> {
    graph: &'g Graph,
    direction: Direction,
    options: &'g WalkOptions,
    /// The nodes whose parts have been drawn.
    drawn: BTreeSet<NodeRef>,
    text: String,
}

impl Drawing<'_> {
    /// Draws `node` and, below it, its parts; the line has been begun.
    fn node(&mut self, node: &NodeRef, indent: &str, depth: u32) {
        self.text.push_str(&self.graph.label(node));
        let mut links = self.graph.neighbors(node, self.direction);
        links.retain(|(edge, _)| self.options.follows(edge.kind));
        if links.is_empty() {
            self.text.push('\n');
        } else if !self.goes_beyond(node, depth) {
            self.text.push_str(" …\n");
        } else if !self.drawn.insert(node.clone()) {
            self.text.push_str(" (see above)\n");
        } else {
            self.text.push('\n');
            self.parts(&links, indent, depth);
        }
    }

    fn goes_beyond(&self, node: &NodeRef, depth: u32) -> bool {
        let is_start = depth == 1;
        (is_start || !self.options.stops(node))
            && self.options.allows(depth)
            && depth <= MAX_TREE_DEPTH
    }

    fn parts(&mut self, links: &[(&Edge, &NodeRef)], indent: &str, depth: u32) {
        let captions: Vec<String> = links.iter().map(|(edge, _)| caption(edge)).collect();
        let lengths = captions.iter().map(|caption| caption.chars().count());
        let width = lengths.max().unwrap_or(0);
        for (index, ((_, part), caption)) in links.iter().zip(&captions).enumerate() {
            let (branch, below) = if index + 1 == links.len() {
                ("└── ", "    ")
            } else {
                ("├── ", "│   ")
            };
            let padding = " ".repeat(width - caption.chars().count() + 2);
            self.text.extend([indent, branch, caption, &padding]);
            self.node(part, &format!("{indent}{below}"), depth + 1);
        }
    }
}
