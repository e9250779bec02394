//! Layered layout: columns, the order within each, and the way of every edge.
//!
//! After Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System
//! Structures" (IEEE Trans. SMC 11, 1981): longest-path layers, a stop in every layer that a long edge
//! crosses, and sweeps that order each layer by the mean place of its neighbors.

use std::collections::BTreeMap;

/// How often the layers are swept, once there and back.
const SWEEPS: usize = 8;

/// Where everything goes.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The nodes and stops of each column, top down.
    pub(super) columns: Vec<Vec<Item>>,
    /// Of each edge, the places that it passes, both ends included, as column and row.
    pub(super) ways: Vec<Vec<(usize, usize)>>,
}

/// What takes a place in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// A node, by its number.
    Node(usize),
    /// Where an edge that goes further passes.
    Stop,
}

/// Lays out `count` nodes and edges between them, given by their numbers. Edges point to columns further
/// right, but for those that close a cycle.
///
/// The same graph gets the same layout. Complexity: O(s · log s) in the nodes, and the columns that
/// edges pass.
pub(super) fn layout(count: usize, edges: &[(usize, usize)]) -> Layout {
    let ranks = ranks(count, edges);
    let width = ranks.iter().map(|rank| rank + 1).max().unwrap_or(0);
    let mut drawn = Layers {
        items: (0..count)
            .map(|node| (ranks[node], Item::Node(node)))
            .collect(),
        columns: vec![Vec::new(); width],
        links: vec![(Vec::new(), Vec::new()); count],
    };
    for (node, rank) in ranks.iter().enumerate() {
        drawn.columns[*rank].push(node);
    }
    let ways: Vec<Vec<usize>> = edges.iter().map(|edge| drawn.route(*edge)).collect();
    for sweep in 0..SWEEPS {
        drawn.sweep(sweep % 2 == 0);
    }
    let place = drawn.places();
    let seat = |item: &usize| (drawn.items[*item].0, place[*item]);
    Layout {
        ways: ways
            .iter()
            .map(|way| way.iter().map(seat).collect())
            .collect(),
        columns: drawn
            .columns
            .iter()
            .map(|column| column.iter().map(|item| drawn.items[*item].1).collect())
            .collect(),
    }
}

struct Layers {
    /// Nodes first, then stops; with their column.
    items: Vec<(usize, Item)>,
    columns: Vec<Vec<usize>>,
    /// The neighbors of an item in the columns before and after.
    links: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Layers {
    /// Makes a stop in each column between the ends of an edge.
    fn route(&mut self, (from, to): (usize, usize)) -> Vec<usize> {
        let (left, right) = (self.items[from].0, self.items[to].0);
        let backwards = left > right;
        let (first, last) = if backwards { (to, from) } else { (from, to) };
        let mut way = vec![first];
        for column in left.min(right) + 1..left.max(right) {
            let stop = self.items.len();
            self.items.push((column, Item::Stop));
            self.links.push((Vec::new(), Vec::new()));
            self.columns[column].push(stop);
            way.push(stop);
        }
        way.push(last);
        for pair in way.windows(2) {
            self.links[pair[0]].1.push(pair[1]);
            self.links[pair[1]].0.push(pair[0]);
        }
        if backwards {
            way.reverse();
        }
        way
    }

    /// Orders each column by the mean place of the neighbors in the column before, or after.
    fn sweep(&mut self, forwards: bool) {
        let mut place = self.places();
        let width = self.columns.len();
        for step in 0..width {
            let at = if forwards { step } else { width - 1 - step };
            let links = &self.links;
            let mean = |item: &usize| {
                let (before, after) = &links[*item];
                let near = if forwards { before } else { after };
                let sum: usize = near.iter().map(|other| place[*other]).sum();
                // In thousandths: whole numbers sort the same everywhere.
                match near.len() {
                    0 => place[*item] * 1_000,
                    count => sum * 1_000 / count,
                }
            };
            self.columns[at].sort_by_cached_key(|item| (mean(item), place[*item]));
            for (row, item) in self.columns[at].iter().enumerate() {
                place[*item] = row;
            }
        }
    }

    /// The row of each item.
    fn places(&self) -> Vec<usize> {
        let mut place = vec![0; self.items.len()];
        for column in &self.columns {
            for (row, item) in column.iter().enumerate() {
                place[*item] = row;
            }
        }
        place
    }
}

/// The column of each node: the length of the longest way to it. Edges that close a cycle do not count.
fn ranks(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut next: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in edges.iter().filter(|(from, to)| from != to) {
        next.entry(*from).or_default().push(*to);
    }
    let next = |node: usize| next.get(&node).map_or(&[][..], Vec::as_slice);
    // Depth first; the nodes in the order in which they are left, last first, are a topological order.
    let (mut left, mut begun, mut order) = (vec![false; count], vec![false; count], Vec::new());
    for start in 0..count {
        let mut way = vec![(start, 0)];
        while let Some((node, at)) = way.pop() {
            if at == 0 && std::mem::replace(&mut begun[node], true) {
                continue;
            }
            if let Some(to) = next(node).get(at) {
                way.push((node, at + 1));
                way.push((*to, 0));
            } else if !std::mem::replace(&mut left[node], true) {
                order.push(node);
            }
        }
    }
    order.reverse();
    let mut position = vec![0; count];
    for (index, node) in order.iter().enumerate() {
        position[*node] = index;
    }
    let mut ranks = vec![0; count];
    for node in order {
        for to in next(node) {
            if position[*to] > position[node] {
                ranks[*to] = ranks[*to].max(ranks[node] + 1);
            }
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_edges_have_stops_and_do_not_cross_needlessly() {
        // 0 → 1 → 2, 0 → 2, and a pair that is laid out crossed by number: 3 → 5, 4 → 6.
        let laid = layout(7, &[(0, 1), (1, 2), (0, 2), (3, 6), (4, 5)]);
        assert_eq!(laid.ways[2].len(), 3);
        let rows = |edge: usize| {
            laid.ways[edge]
                .iter()
                .map(|place| place.1)
                .collect::<Vec<_>>()
        };
        let (first, second) = (rows(3), rows(4));
        assert_eq!(first[0] < second[0], first[1] < second[1], "{laid:?}");
    }

    proptest! {
        #[test]
        fn every_node_has_one_place_and_edges_point_right(
            count in 1_usize..12,
            edges in prop::collection::vec((0_usize..12, 0_usize..12), 0..40),
        ) {
            let edges: Vec<_> = edges.into_iter().map(|(a, b)| (a % count, b % count)).collect();
            let laid = layout(count, &edges);
            let mut nodes: Vec<usize> = laid.columns.iter().flatten().filter_map(|item| match item {
                Item::Node(node) => Some(*node),
                Item::Stop => None,
            }).collect();
            nodes.sort_unstable();
            prop_assert_eq!(nodes, (0..count).collect::<Vec<_>>());
            for ((from, to), way) in edges.iter().zip(&laid.ways) {
                let at = |place: &(usize, usize)| laid.columns[place.0][place.1];
                prop_assert_eq!(at(&way[0]), Item::Node(*from));
                prop_assert_eq!(at(way.last().unwrap()), Item::Node(*to));
                // Without a cycle, always right.
                if edges.iter().all(|(from, to)| from < to) {
                    prop_assert!(way.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
                }
            }
        }
    }
}
