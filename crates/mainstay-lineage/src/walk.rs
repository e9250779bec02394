//! Walks: what a thing came from, and what came from it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mainstay_core::{EdgeKind, Name, NodeKind, NodeRef, RefPath, Result};
use serde::Serialize;

use crate::graph::{Direction, Graph, Presence};

/// How far to walk, and along which edges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WalkOptions {
    /// The most edges between the start and a node; `None` for no limit.
    pub max_depth: Option<u32>,
    /// The kinds of edges to follow; `None` for all.
    pub edges: Option<BTreeSet<EdgeKind>>,
    /// The kinds of nodes beyond which not to walk; they are reached themselves.
    pub stops: BTreeSet<NodeKind>,
}

impl WalkOptions {
    /// Sets the most edges between the start and a node.
    #[must_use]
    pub fn with_max_depth(mut self, depth: u32) -> Self {
        self.max_depth = Some(depth);
        self
    }

    /// Follows edges of these kinds only.
    #[must_use]
    pub fn with_edges(mut self, kinds: impl IntoIterator<Item = EdgeKind>) -> Self {
        self.edges = Some(kinds.into_iter().collect());
        self
    }

    /// Does not walk beyond nodes of these kinds; a walk that starts from one begins all the same.
    #[must_use]
    pub fn with_stops(mut self, kinds: impl IntoIterator<Item = NodeKind>) -> Self {
        self.stops = kinds.into_iter().collect();
        self
    }

    pub(crate) fn stops(&self, node: &NodeRef) -> bool {
        self.stops.contains(&node.kind())
    }

    pub(crate) fn follows(&self, kind: EdgeKind) -> bool {
        self.edges
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&kind))
    }

    pub(crate) fn allows(&self, depth: u32) -> bool {
        self.max_depth.is_none_or(|limit| depth <= limit)
    }
}

/// The nodes reached from one, the nearest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Walk {
    /// Where the walk began.
    pub start: NodeRef,
    /// The nodes reached, each once, by a shortest way; the start itself is not among them.
    pub reached: Vec<Reached>,
}

/// A node reached by a walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reached {
    /// The node.
    pub node: NodeRef,
    /// Whether it is in the repository.
    pub presence: Presence,
    /// What it is called by now, if that is another name than the one in the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<Name>,
    /// How many edges lie between the start and it; at least 1.
    pub depth: u32,
    /// The node before it on the way from the start.
    pub from: NodeRef,
    /// The kind of the edge between that node and it.
    pub edge: EdgeKind,
    /// The role of that edge.
    pub role: Option<Name>,
}

/// What would be affected by a change of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Impact {
    /// Everything that came from it.
    pub walk: Walk,
    /// The refs that point to it or to any of those: what is in use under some name. In order.
    pub names: Vec<NamedNode>,
}

/// A ref that points to a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct NamedNode {
    /// The ref, as `model/fraud/stage/production`.
    pub name: RefPath,
    /// Where it points.
    pub node: NodeRef,
    /// Whether it is a channel, so that what it points to is being served.
    pub serves: bool,
    /// How the node came from what is asked about: a shortest way, both ends included.
    pub path: Vec<NodeRef>,
}

impl Walk {
    /// Returns the way from the start to a node, both included; `None` when it was not reached.
    #[must_use]
    pub fn path(&self, node: &NodeRef) -> Option<Vec<NodeRef>> {
        let before: BTreeMap<&NodeRef, &NodeRef> = self
            .reached
            .iter()
            .map(|reached| (&reached.node, &reached.from))
            .collect();
        let mut path = vec![node.clone()];
        let mut at = node;
        while *at != self.start {
            at = before.get(at)?;
            path.push(at.clone());
        }
        path.reverse();
        Some(path)
    }
}

impl Graph {
    /// Walks to everything `start` came from.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when the graph does not know `start`.
    ///
    /// # Complexity
    /// O(n log n) in the nodes and edges reached.
    pub fn ancestors(&self, start: &NodeRef, options: &WalkOptions) -> Result<Walk> {
        self.walk(start, Direction::Up, options)
    }

    /// Walks to everything that came from `start`.
    ///
    /// # Errors
    /// As [`ancestors`](Self::ancestors).
    pub fn descendants(&self, start: &NodeRef, options: &WalkOptions) -> Result<Walk> {
        self.walk(start, Direction::Down, options)
    }

    /// Finds what came from `start`, and under which names it is in use.
    ///
    /// # Errors
    /// As [`ancestors`](Self::ancestors).
    pub fn impact(&self, start: &NodeRef, options: &WalkOptions) -> Result<Impact> {
        let walk = self.descendants(start, options)?;
        let nodes = walk.reached.iter().map(|reached| &reached.node);
        let channel = NodeKind::Channel.as_str();
        let named = nodes
            .chain([start])
            .flat_map(|node| self.names(node).iter().map(move |name| (name, node)));
        let mut names: Vec<NamedNode> = named
            .map(|(name, node)| NamedNode {
                name: name.clone(),
                node: node.clone(),
                serves: name.segments().next() == Some(channel),
                path: walk.path(node).unwrap_or_default(),
            })
            .collect();
        names.sort();
        Ok(Impact { walk, names })
    }

    /// Keeps what `start` came from and what came from it.
    ///
    /// # Errors
    /// As [`ancestors`](Self::ancestors).
    pub fn around(&self, start: &NodeRef, options: &WalkOptions) -> Result<Self> {
        let mut kept = BTreeSet::from([start.clone()]);
        for walk in [
            self.ancestors(start, options)?,
            self.descendants(start, options)?,
        ] {
            kept.extend(walk.reached.into_iter().map(|reached| reached.node));
        }
        Ok(self.induced(&kept, |kind| options.follows(kind)))
    }

    fn walk(&self, start: &NodeRef, direction: Direction, options: &WalkOptions) -> Result<Walk> {
        self.check(start)?;
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([(start, 0)]);
        let mut reached = Vec::new();
        while let Some((from, depth)) = queue.pop_front() {
            let depth: u32 = depth + 1;
            if !options.allows(depth) {
                break;
            }
            if from != start && options.stops(from) {
                continue;
            }
            for (link, node) in self.neighbors(from, direction) {
                if !options.follows(link.kind) || !seen.insert(node) {
                    continue;
                }
                queue.push_back((node, depth));
                reached.push(Reached {
                    node: node.clone(),
                    presence: self.presence(node).unwrap_or(Presence::Absent),
                    called: self.called(node).cloned(),
                    depth,
                    from: from.clone(),
                    edge: link.kind,
                    role: link.role.clone(),
                });
            }
        }
        Ok(Walk {
            start: start.clone(),
            reached,
        })
    }
}
