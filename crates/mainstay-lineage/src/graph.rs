//! The graph: what there is and what came from what.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{Actor, Edge, EdgeKind, Error, Name, NodeRef, RefPath, Result, Timestamp};
use mainstay_repo::View;
use petgraph::Direction as Along;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef as _;
use serde::Serialize;

/// The provenance of everything in a repository at one moment, or of what is [near](Self::near) one
/// thing.
///
/// Nodes are the versions of every kind and what they refer to; an edge goes from a thing to what it
/// came from. Two nodes may be joined by several edges of different kind or role. Cycles, which a commit
/// refuses but an old log may hold, are followed once.
///
/// Immutable. Every listing is in the same order each time.
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: DiGraph<Node, Edge>,
    index: BTreeMap<NodeRef, NodeIndex>,
    names: BTreeMap<NodeRef, Vec<RefPath>>,
    times: BTreeMap<NodeRef, Timestamp>,
    authors: BTreeMap<NodeRef, Actor>,
    called: BTreeMap<NodeRef, Name>,
}

#[derive(Debug, Clone)]
struct Node {
    node: NodeRef,
    presence: Presence,
}

/// Whether a node is in the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Presence {
    /// It is.
    Present,
    /// It lives elsewhere by nature: a code commit, a person.
    External,
    /// It was, and has been deleted.
    Deleted,
    /// Something refers to it, and it never was.
    Absent,
}

impl Presence {
    /// That of a node of which there is no ref.
    pub(crate) fn of_unknown(node: &NodeRef) -> Self {
        if node.kind().is_external() {
            Self::External
        } else {
            Self::Absent
        }
    }
}

/// Which way to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an edge has two ends")]
pub enum Direction {
    /// To what it came from.
    Up,
    /// To what came from it.
    Down,
}

impl Direction {
    fn along(self) -> Along {
        match self {
            Self::Up => Along::Outgoing,
            Self::Down => Along::Incoming,
        }
    }
}

impl Graph {
    /// Reads the whole graph from a view: the edges of every version, and every pointer to one.
    ///
    /// A deleted version keeps the edges that it had to what is or was in the repository, or that anything
    /// which is refers to; [`near`](Self::near) reads all of them.
    ///
    /// # Complexity
    /// O(n log n) in refs and edges.
    ///
    /// # Errors
    /// Those of [`View::states_below`] and [`View::dependents`].
    pub fn from_view(view: &View) -> Result<Self> {
        let mut graph = Self::empty();
        for (path, state) in view.states_below("")? {
            match (NodeRef::from_ref_path(path), &state.value) {
                (Some(node), Some(value)) => {
                    graph.add(&node, Presence::Present, &value.edges);
                    graph.times.insert(node, state.time);
                }
                (Some(node), None) => graph.add(&node, Presence::Deleted, &[]),
                (None, Some(value)) => {
                    if let Some(target) = value.pointee() {
                        graph.names.entry(target).or_default().push(path.clone());
                    }
                }
                (None, None) => {}
            }
        }
        graph.bury(view)?;
        Ok(graph)
    }

    /// Adds the edges of deleted versions, which the view keeps with what they lead to. Asks for all that it
    /// needs of the view before it gives up, so that it is loaded at once.
    fn bury(&mut self, view: &View) -> Result<()> {
        let is_deleted = |(_, presence)| presence == Presence::Deleted;
        if !self.nodes().any(is_deleted) {
            return Ok(());
        }
        let (mut buried, mut missed) = (Vec::new(), None);
        for node in self.index.keys() {
            match view.dependents(node) {
                Ok(dependents) => buried.extend(dependents.into_iter().filter_map(|dependent| {
                    let is_deleted = self.presence(&dependent.from) == Some(Presence::Deleted);
                    is_deleted.then(|| {
                        let mut edge = Edge::new(dependent.kind, node.clone());
                        edge.role = dependent.role;
                        (dependent.from, edge)
                    })
                })),
                Err(error) => missed = Some(error),
            }
        }
        if let Some(error) = missed {
            return Err(error);
        }
        for (from, edge) in buried {
            self.add(&from, Presence::Deleted, &[edge]);
        }
        Ok(())
    }

    pub(crate) fn empty() -> Self {
        Self {
            nodes: DiGraph::new(),
            index: BTreeMap::new(),
            names: BTreeMap::new(),
            times: BTreeMap::new(),
            authors: BTreeMap::new(),
            called: BTreeMap::new(),
        }
    }

    /// Takes over the nodes, edges and names of another graph that it lacks.
    pub(crate) fn absorb(&mut self, other: &Self) {
        for (node, presence) in other.nodes() {
            let own = self.neighbors(node, Direction::Up);
            let new = other.neighbors(node, Direction::Up).into_iter();
            let new = new.map(|(edge, _)| edge);
            let new: Vec<Edge> = new
                .filter(|edge| !own.iter().any(|(known, _)| known == edge))
                .cloned()
                .collect();
            self.add(node, presence, &new);
            self.name(node, other.names(node).to_vec());
            if let Some(time) = other.committed(node) {
                self.times.insert(node.clone(), time);
            }
            if let Some(author) = other.author(node) {
                self.attribute(node.clone(), author.clone());
            }
            self.call(node, other.called(node).cloned());
        }
    }

    /// Notes what things are called by now that are kept under an earlier name, as those who own the kind
    /// know; drawings and walks say it. What is not in the graph is left out.
    #[must_use]
    pub fn with_called(mut self, called: impl IntoIterator<Item = (NodeRef, Name)>) -> Self {
        for (node, name) in called {
            if self.index.contains_key(&node) {
                self.call(&node, Some(name));
            }
        }
        self
    }

    fn call(&mut self, node: &NodeRef, name: Option<Name>) {
        if let Some(name) = name {
            self.called.insert(node.clone(), name);
        }
    }

    /// Notes who committed a node.
    pub(crate) fn attribute(&mut self, node: NodeRef, author: Actor) {
        self.authors.insert(node, author);
    }

    /// Notes when a node was committed.
    pub(crate) fn time(&mut self, node: &NodeRef, time: Timestamp) {
        self.times.insert(node.clone(), time);
    }

    pub(crate) fn name(&mut self, node: &NodeRef, names: Vec<RefPath>) {
        if !names.is_empty() {
            self.names.insert(node.clone(), names);
        }
    }

    pub(crate) fn add(&mut self, node: &NodeRef, presence: Presence, edges: &[Edge]) {
        let from = self.intern(node);
        if let Some(weight) = self.nodes.node_weight_mut(from) {
            weight.presence = presence;
        }
        for edge in edges {
            let to = self.intern(&edge.to);
            self.nodes.add_edge(from, to, edge.clone());
        }
    }

    fn intern(&mut self, node: &NodeRef) -> NodeIndex {
        if let Some(index) = self.index.get(node) {
            return *index;
        }
        let presence = Presence::of_unknown(node);
        let index = self.nodes.add_node(Node {
            node: node.clone(),
            presence,
        });
        self.index.insert(node.clone(), index);
        index
    }

    /// Counts the nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Reports whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Reports whether a node is in the repository; `None` when nothing even refers to it.
    #[must_use]
    pub fn presence(&self, node: &NodeRef) -> Option<Presence> {
        let index = self.index.get(node)?;
        self.nodes.node_weight(*index).map(|weight| weight.presence)
    }

    /// Iterates over the nodes, in order.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeRef, Presence)> {
        self.index.iter().filter_map(|(node, index)| {
            let weight = self.nodes.node_weight(*index)?;
            Some((node, weight.presence))
        })
    }

    /// Iterates over the edges with the node each starts from, in order.
    pub fn edges(&self) -> impl Iterator<Item = (&NodeRef, &Edge)> {
        self.index.iter().flat_map(|(node, index)| {
            let links = self.links(*index, Direction::Up).into_iter();
            links.map(move |(edge, _)| (node, edge))
        })
    }

    /// Returns the refs that point to a node: tags, aliases, stages, channels; in order.
    #[must_use]
    pub fn names(&self, node: &NodeRef) -> &[RefPath] {
        self.names.get(node).map_or(&[], Vec::as_slice)
    }

    /// Returns when a node was committed; `None` when it is not in the repository.
    #[must_use]
    pub fn committed(&self, node: &NodeRef) -> Option<Timestamp> {
        self.times.get(node).copied()
    }

    /// Returns who committed a node, as claimed; `None` when it is not in the repository, and unless
    /// [`with_authors`](Self::with_authors) read it.
    #[must_use]
    pub fn author(&self, node: &NodeRef) -> Option<&Actor> {
        self.authors.get(node)
    }

    /// Returns what a thing is called by now, if that is another name than the one in the node, and
    /// [`with_called`](Self::with_called) said so.
    #[must_use]
    pub fn called(&self, node: &NodeRef) -> Option<&Name> {
        self.called.get(node)
    }

    /// Returns the edges of a node in one direction with the node at the other end, in order of kind,
    /// role, node.
    pub(crate) fn neighbors(&self, node: &NodeRef, direction: Direction) -> Vec<(&Edge, &NodeRef)> {
        match self.index.get(node) {
            Some(index) => self.links(*index, direction),
            None => Vec::new(),
        }
    }

    fn links(&self, index: NodeIndex, direction: Direction) -> Vec<(&Edge, &NodeRef)> {
        let other = |edge: petgraph::graph::EdgeReference<'_, Edge>| match direction {
            Direction::Up => edge.target(),
            Direction::Down => edge.source(),
        };
        let mut links: Vec<_> = self
            .nodes
            .edges_directed(index, direction.along())
            .filter_map(|edge| {
                let other = self.nodes.node_weight(other(edge))?;
                Some((edge.weight(), &other.node))
            })
            .collect();
        links.sort_by_key(|(edge, node)| (edge.kind, &edge.role, *node));
        links
    }

    /// Keeps some nodes, and the edges of some kinds between them.
    pub(crate) fn induced(
        &self,
        kept: &BTreeSet<NodeRef>,
        follows: impl Fn(EdgeKind) -> bool,
    ) -> Self {
        let mut graph = Self::empty();
        for (node, presence) in self.nodes().filter(|(node, _)| kept.contains(node)) {
            let edges: Vec<Edge> = self
                .neighbors(node, Direction::Up)
                .into_iter()
                .filter(|(edge, to)| follows(edge.kind) && kept.contains(*to))
                .map(|(edge, _)| edge.clone())
                .collect();
            graph.add(node, presence, &edges);
            graph.name(node, self.names(node).to_vec());
            if let Some(time) = self.committed(node) {
                graph.time(node, time);
            }
            if let Some(author) = self.author(node) {
                graph.attribute(node.clone(), author.clone());
            }
            graph.call(node, self.called(node).cloned());
        }
        graph
    }

    /// Refuses a node that the graph does not know.
    pub(crate) fn check(&self, node: &NodeRef) -> Result<()> {
        if self.index.contains_key(node) {
            Ok(())
        } else {
            Err(Error::not_found(node.kind().as_str(), node))
        }
    }
}
