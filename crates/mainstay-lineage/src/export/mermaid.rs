//! Mermaid, which GitHub and many documentation tools draw.

use std::collections::BTreeMap;

use mainstay_core::{NodeKind, NodeRef};

use super::caption;
use crate::graph::Graph;

impl Graph {
    /// Draws the graph as a Mermaid flowchart.
    ///
    /// Arrows go from a thing to what it came from. Names are quoted and escaped.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut lines = vec!["flowchart LR".to_owned()];
        let mut ids: BTreeMap<&NodeRef, usize> = BTreeMap::new();
        for (id, (node, _)) in self.nodes().enumerate() {
            ids.insert(node, id);
            let label = self.label(node);
            let (open, close) = shape(node.kind());
            lines.push(format!("  n{id}{open}\"{}\"{close}", escaped(&label)));
        }
        for (from, edge) in self.edges() {
            if let (Some(from), Some(to)) = (ids.get(from), ids.get(&edge.to)) {
                let label = escaped(&caption(edge));
                lines.push(format!("  n{from} -- \"{label}\" --> n{to}"));
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

fn shape(kind: NodeKind) -> (&'static str, &'static str) {
    match kind {
        NodeKind::Data => ("[(", ")]"),
        NodeKind::Unit => ("[[", "]]"),
        NodeKind::Prompt => ("(", ")"),
        _ => ("[", "]"),
    }
}

/// Mermaid writes characters of its own syntax as entity codes between `#` and `;`.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '#' | '&' | '<' | '>' | ';' | '`' | '\\' => format!("#{};", u32::from(c)),
            c if c.is_control() => " ".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_the_syntax_are_escaped() {
        assert_eq!(escaped("a\"<b>\n"), "a#34;#60;b#62; ");
    }
}
