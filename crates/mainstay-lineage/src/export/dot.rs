//! Graphviz.

use mainstay_core::NodeKind;

use super::{caption, remark};
use crate::graph::Graph;

impl Graph {
    /// Draws the graph in the DOT language of Graphviz.
    ///
    /// Arrows go from a thing to what it came from. Nodes are quoted and escaped, so no name can end
    /// a string or add an attribute.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut lines = vec![
            "digraph lineage {".to_owned(),
            "  rankdir=LR;".to_owned(),
            "  node [fontname=\"sans-serif\"];".to_owned(),
        ];
        for (node, presence) in self.nodes() {
            let style = match remark(presence) {
                Some(_) => ", style=dashed",
                None => "",
            };
            let (id, label) = (quoted(&node.to_string()), quoted(&self.label(node)));
            let shape = shape(node.kind());
            lines.push(format!("  {id} [label={label}, shape={shape}{style}];"));
        }
        for (from, edge) in self.edges() {
            let (from, to) = (quoted(&from.to_string()), quoted(&edge.to.to_string()));
            let label = quoted(&caption(edge));
            lines.push(format!("  {from} -> {to} [label={label}];"));
        }
        lines.push("}\n".to_owned());
        lines.join("\n")
    }
}

fn shape(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Data => "cylinder",
        NodeKind::Model => "box3d",
        NodeKind::Prompt => "note",
        NodeKind::Env => "component",
        NodeKind::Unit => "folder",
        _ => "box",
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_cannot_end_the_string() {
        assert_eq!(quoted("a\"b\\\n"), r#""a\"b\\ ""#);
    }
}
