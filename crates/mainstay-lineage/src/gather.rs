//! Reading the part of the graph that is near something, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use mainstay_core::{Edge, Error, NodeRef, Result, Timestamp};
use mainstay_repo::{Repo, View};
use tracing::instrument;

use crate::graph::{Direction, Graph, Presence};
use crate::walk::WalkOptions;

/// The edges that deleted versions had.
type Graves = BTreeMap<NodeRef, Vec<Edge>>;

impl Graph {
    /// Reads what `start` came from, what came from it, or both, one edge further than `options` allow,
    /// so that it shows where more follows.
    ///
    /// What came from it is read with the names of everything found. What a deleted version came from is
    /// read from the log.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](mainstay_core::ErrorKind::NotFound) when the view does not know `start`
    /// and nothing in it refers to `start`; those of the storage.
    ///
    /// # Complexity
    /// O(n log n) in what is found: the rest of the repository is not read. Each level costs at most one
    /// round of requests for what is not in memory.
    #[instrument(skip(repo, view, options), fields(start = %start), err(level = "debug"))]
    pub async fn near(
        repo: &Repo,
        view: &View,
        start: &NodeRef,
        directions: &[Direction],
        options: &WalkOptions,
    ) -> Result<Self> {
        let mut graves = Graves::new();
        loop {
            let found = view.read(|view| {
                let mut gathering = Gathering::new(view, options, &graves);
                gathering.presence(start)?;
                for direction in directions {
                    gathering.walk(start, *direction)?;
                }
                gathering.finish(directions.contains(&Direction::Down))
            });
            let (graph, unread) = found.await?;
            if unread.is_empty() {
                let is_known = graph.presence(start) != Some(Presence::Absent)
                    || !view.read(|view| view.dependents(start)).await?.is_empty();
                return if is_known {
                    Ok(graph)
                } else {
                    Err(Error::not_found(start.kind().as_str(), start))
                };
            }
            for node in unread {
                let edges = last_edges(repo, &node).await?;
                graves.insert(node, edges);
            }
        }
    }

    /// Joins two readings of one view.
    #[must_use]
    pub fn joined(mut self, other: &Self) -> Self {
        self.absorb(other);
        self
    }
}

/// The edges a deleted version had, from its history.
async fn last_edges(repo: &Repo, node: &NodeRef) -> Result<Vec<Edge>> {
    let path = node.ref_path();
    let mut changes = repo.history(&path);
    while let Some(change) = changes.try_next().await? {
        if let Some(value) = change.value {
            return Ok(value.edges);
        }
    }
    Ok(Vec::new())
}

struct Gathering<'a> {
    view: &'a View,
    options: &'a WalkOptions,
    graves: &'a Graves,
    presence: BTreeMap<NodeRef, (Presence, Option<Timestamp>)>,
    edges: BTreeMap<NodeRef, BTreeSet<Edge>>,
    /// Deleted versions whose edges have to be read from the log.
    unread: BTreeSet<NodeRef>,
}

impl<'a> Gathering<'a> {
    fn new(view: &'a View, options: &'a WalkOptions, graves: &'a Graves) -> Self {
        Self {
            view,
            options,
            graves,
            presence: BTreeMap::new(),
            edges: BTreeMap::new(),
            unread: BTreeSet::new(),
        }
    }

    /// Walks level by level. A level asks for all that it needs before it gives up, so that it is loaded
    /// at once.
    fn walk(&mut self, start: &NodeRef, direction: Direction) -> Result<()> {
        let mut seen = BTreeSet::from([start.clone()]);
        // What lies beyond where the walk stops.
        let mut beyond = BTreeSet::new();
        let mut level = vec![start.clone()];
        let mut depth = 0;
        while !level.is_empty() && self.options.allows(depth) {
            let (mut next, mut missed) = (Vec::new(), None);
            for node in &level {
                let step = match direction {
                    Direction::Up => self.up(node),
                    Direction::Down => self.down(node),
                };
                match step {
                    Ok(found) if depth > 0 && self.options.stops(node) => beyond.extend(found),
                    Ok(found) => {
                        let new = found.into_iter().filter(|node| seen.insert(node.clone()));
                        next.extend(new);
                    }
                    Err(error) => missed = Some(error),
                }
            }
            if let Some(error) = missed {
                return Err(error);
            }
            (level, depth) = (next, depth + 1);
        }
        let mut missed = None;
        for node in seen.into_iter().chain(beyond) {
            missed = self.presence(&node).err().or(missed);
        }
        missed.map_or(Ok(()), Err)
    }

    fn up(&mut self, node: &NodeRef) -> Result<Vec<NodeRef>> {
        let state = self.view.state(&node.ref_path())?;
        let edges: &[Edge] = match state.map(|state| &state.value) {
            Some(Some(value)) => &value.edges,
            Some(None) => {
                let buried = self.graves.get(node);
                if buried.is_none() {
                    self.unread.insert(node.clone());
                }
                buried.map_or(&[], Vec::as_slice)
            }
            None => &[],
        };
        let followed = edges.iter().filter(|edge| self.options.follows(edge.kind));
        let followed: Vec<Edge> = followed.cloned().collect();
        let found = followed.iter().map(|edge| edge.to.clone()).collect();
        self.edges.entry(node.clone()).or_default().extend(followed);
        Ok(found)
    }

    fn down(&mut self, node: &NodeRef) -> Result<Vec<NodeRef>> {
        let (mut found, mut missed) = (Vec::new(), None);
        for dependent in self.view.dependents(node)? {
            if !self.options.follows(dependent.kind) {
                continue;
            }
            let mut edge = Edge::new(dependent.kind, node.clone());
            edge.role = dependent.role;
            match self.view.state(&dependent.from.ref_path()) {
                Ok(state) => {
                    let value = state.and_then(|state| state.value.as_ref());
                    // It may have been set again, without the edge.
                    if value.is_none_or(|value| value.edges.contains(&edge)) {
                        found.push(dependent.from.clone());
                        self.edges.entry(dependent.from).or_default().insert(edge);
                    }
                }
                Err(error) => missed = Some(error),
            }
        }
        missed.map_or(Ok(found), Err)
    }

    fn presence(&mut self, node: &NodeRef) -> Result<()> {
        if !self.presence.contains_key(node) {
            let presence = match self.view.state(&node.ref_path())? {
                Some(state) if state.value.is_some() => (Presence::Present, Some(state.time)),
                Some(_) => (Presence::Deleted, None),
                None => (Presence::of_unknown(node), None),
            };
            self.presence.insert(node.clone(), presence);
        }
        Ok(())
    }

    fn finish(self, with_names: bool) -> Result<(Graph, BTreeSet<NodeRef>)> {
        let mut graph = Graph::empty();
        let mut missed = None;
        for (node, (presence, time)) in &self.presence {
            let edges = self.edges.get(node).into_iter().flatten();
            let edges: Vec<Edge> = edges.cloned().collect();
            graph.add(node, *presence, &edges);
            if let Some(time) = time {
                graph.time(node, *time);
            }
            if with_names {
                match self.view.names(node) {
                    Ok(names) => graph.name(node, names),
                    Err(error) => missed = Some(error),
                }
            }
        }
        missed.map_or(Ok((graph, self.unread)), Err)
    }
}
