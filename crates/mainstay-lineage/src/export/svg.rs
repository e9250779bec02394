//! SVG, by itself: no style sheet, no font and no script from elsewhere.

use std::fmt::Write as _;

use mainstay_core::{NodeKind, NodeRef};

use super::layout::{Item, Layout, layout};
use super::{caption, remark};
use crate::graph::Graph;

const NODE_HEIGHT: usize = 34;
const STOP_HEIGHT: usize = 14;
const ROW_GAP: usize = 14;
const COLUMN_GAP: usize = 110;
const MARGIN: usize = 16;
/// Of a character of the 12 pixel fixed-width font.
const CHAR_WIDTH: usize = 8;

impl Graph {
    /// Draws the graph as an SVG image, in columns from left to right: each thing before what it came
    /// from.
    ///
    /// The image refers to nothing outside of itself. All text is escaped. The names that point to a node
    /// are shown below it.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let nodes: Vec<(&NodeRef, String, bool)> = self
            .nodes()
            .map(|(node, presence)| (node, self.label(node), remark(presence).is_some()))
            .collect();
        let number = |node: &NodeRef| {
            nodes
                .binary_search_by(|(other, ..)| (*other).cmp(node))
                .ok()
        };
        let edges: Vec<(usize, usize, String)> = self
            .edges()
            .filter_map(|(from, edge)| Some((number(from)?, number(&edge.to)?, caption(edge))))
            .collect();
        let ends: Vec<(usize, usize)> = edges.iter().map(|(from, to, _)| (*from, *to)).collect();
        let laid = layout(nodes.len(), &ends);
        let grid = Grid::new(&laid, |node| {
            let names = self.names(nodes[node].0);
            let lines = [&nodes[node].1, &names_line(names)].map(|line| width(line));
            lines[0].max(lines[1])
        });
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
             font-family=\"monospace\" font-size=\"12\">\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
             markerHeight=\"8\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\" fill=\"#777\"/>\
             </marker></defs>\n",
            w = grid.size.0,
            h = grid.size.1,
        );
        for ((_, _, caption), way) in edges.iter().zip(&laid.ways) {
            edge(&mut svg, &grid, way, caption);
        }
        for (column, items) in laid.columns.iter().enumerate() {
            for (row, item) in items.iter().enumerate() {
                if let Item::Node(node) = item {
                    let (reference, label, dashed) = &nodes[*node];
                    let (x, y) = grid.places[column][row];
                    let names = names_line(self.names(reference));
                    let kind = reference.kind();
                    draw(
                        &mut svg,
                        (x, y, grid.widths[column]),
                        kind,
                        label,
                        &names,
                        *dashed,
                    );
                }
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn names_line(names: &[mainstay_core::RefPath]) -> String {
    const SHOWN: usize = 2;
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(ToString::to_string).collect();
    if names.len() > SHOWN {
        shown.push(format!("+{}", names.len() - SHOWN));
    }
    shown.join(", ")
}

/// Where the places of a layout are, in pixels.
struct Grid {
    size: (usize, usize),
    widths: Vec<usize>,
    /// The upper left corner of each place.
    places: Vec<Vec<(usize, usize)>>,
    heights: Vec<Vec<usize>>,
}

impl Grid {
    fn new(laid: &Layout, node_width: impl Fn(usize) -> usize) -> Self {
        let height = |item: &Item| match item {
            Item::Node(_) => NODE_HEIGHT,
            Item::Stop => STOP_HEIGHT,
        };
        let heights: Vec<Vec<usize>> = laid
            .columns
            .iter()
            .map(|column| column.iter().map(height).collect())
            .collect();
        let total = |column: &Vec<usize>| {
            column.iter().sum::<usize>() + column.len().saturating_sub(1) * ROW_GAP
        };
        let tallest = heights.iter().map(total).max().unwrap_or(0);
        let (mut widths, mut places, mut x) = (Vec::new(), Vec::new(), MARGIN);
        for (items, heights) in laid.columns.iter().zip(&heights) {
            let nodes = items.iter().filter_map(|item| match item {
                Item::Node(node) => Some(node_width(*node)),
                Item::Stop => None,
            });
            let width = nodes.max().unwrap_or(0);
            let mut y = MARGIN + (tallest - total(heights)) / 2;
            let mut column = Vec::new();
            for height in heights {
                column.push((x, y));
                y += height + ROW_GAP;
            }
            places.push(column);
            widths.push(width);
            x += width + COLUMN_GAP;
        }
        let right = x.saturating_sub(COLUMN_GAP).max(MARGIN) + MARGIN;
        Self {
            size: (right, tallest + 2 * MARGIN),
            widths,
            places,
            heights,
        }
    }

    /// Where an edge meets the left and the right of a place.
    fn sides(&self, (column, row): (usize, usize)) -> [(usize, usize); 2] {
        let (x, y) = self.places[column][row];
        let middle = y + self.heights[column][row] / 2;
        [(x, middle), (x + self.widths[column], middle)]
    }
}

fn edge(svg: &mut String, grid: &Grid, way: &[(usize, usize)], caption: &str) {
    let backwards = way.first() > way.last();
    let mut path = String::new();
    for (index, place) in way.iter().enumerate() {
        let [mut near, mut far] = grid.sides(*place);
        if backwards {
            (near, far) = (far, near);
        }
        if index > 0 {
            let before = grid.sides(way[index - 1])[usize::from(!backwards)];
            let bend = before.0.midpoint(near.0);
            let _ = write!(
                path,
                "C{bend} {} {bend} {} {} {}",
                before.1, near.1, near.0, near.1
            );
        }
        // Stops are passed straight; the last place is where it ends.
        if index == 0 {
            let _ = write!(path, "M{} {}", far.0, far.1);
        } else if index + 1 < way.len() {
            let _ = write!(path, "L{} {}", far.0, far.1);
        }
    }
    let _ = writeln!(
        svg,
        "<path d=\"{path}\" fill=\"none\" stroke=\"#777\" marker-end=\"url(#tip)\"/>"
    );
    if let [first, second, ..] = way {
        let (from, to) = if backwards {
            (grid.sides(*first)[0], grid.sides(*second)[1])
        } else {
            (grid.sides(*first)[1], grid.sides(*second)[0])
        };
        let (x, y) = (from.0.midpoint(to.0), from.1.midpoint(to.1));
        let text = escaped(caption);
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" font-size=\"10\" fill=\"#555\" text-anchor=\"middle\">{text}</text>"
        );
    }
}

fn draw(
    svg: &mut String,
    (x, y, width): (usize, usize, usize),
    kind: NodeKind,
    label: &str,
    names: &str,
    dashed: bool,
) {
    let dash = if dashed {
        " stroke-dasharray=\"4 3\""
    } else {
        ""
    };
    let fill = color(kind);
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{NODE_HEIGHT}\" rx=\"5\" fill=\"{fill}\" stroke=\"#444\"{dash}/>"
    );
    let middle = x + width / 2;
    let line = if names.is_empty() { y + 21 } else { y + 15 };
    let text = escaped(label);
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{line}\" text-anchor=\"middle\">{text}</text>"
    );
    if !names.is_empty() {
        let (line, text) = (y + 28, escaped(names));
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{line}\" font-size=\"10\" fill=\"#555\" text-anchor=\"middle\">{text}</text>"
        );
    }
}

fn width(text: &str) -> usize {
    // Letters of East Asian scripts are twice as wide.
    let columns = text
        .chars()
        .map(|c| if u32::from(c) >= 0x1100 { 2 } else { 1 });
    columns.sum::<usize>() * CHAR_WIDTH + 16
}

fn color(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Data | NodeKind::Split => "#dbeafe",
        NodeKind::Model => "#dcfce7",
        NodeKind::Prompt => "#fef9c3",
        NodeKind::Env | NodeKind::Code => "#e5e7eb",
        NodeKind::Run | NodeKind::Eval => "#ede9fe",
        NodeKind::Unit => "#ffedd5",
        NodeKind::Channel | NodeKind::Rollout | NodeKind::Deployment => "#fee2e2",
        _ => "#ffffff",
    }
}

/// Escapes text for XML and HTML; control characters, which XML cannot hold, become spaces.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                escaped.push(' ');
            }
            c => escaped.push(c),
        }
    }
    escaped
}
