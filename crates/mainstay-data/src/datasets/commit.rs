//! From stored content to a version: what one view decides.

use std::collections::BTreeSet;

use mainstay_core::{Edge, EdgeKind, Error, ErrorKind, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Expectation, Series, Transaction, Value, View};

use super::ancestry::is_parent;
use super::branches::{self, Head};
use super::tags::set_tag;
use crate::record::VersionRecord;

/// A version that is stored and that no ref names yet.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    series: Series,
    value: Value,
    tags: BTreeSet<Name>,
    head: Option<Head>,
    /// What must be the latest version.
    behind: Option<NodeRef>,
}

/// Where a draft came to lie.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) node: NodeRef,
    /// Whether content and lineage are those of the version it would follow.
    pub(super) reused: bool,
    /// Whether the transaction was added to.
    pub(super) changes: bool,
}

impl Draft {
    /// `value` names what the version came from, without the head of its branch.
    pub(super) fn new(dataset: Name, value: Value) -> Self {
        Self {
            series: Series::new(NodeKind::Data, dataset),
            value,
            tags: BTreeSet::new(),
            head: None,
            behind: None,
        }
    }

    pub(super) fn with_tags(mut self, tags: impl IntoIterator<Item = Name>) -> Self {
        self.tags.extend(tags);
        self
    }

    pub(super) fn with_head(mut self, head: Option<Head>) -> Self {
        self.head = head;
        self
    }

    /// Lets it follow this version only, when given.
    pub(super) fn behind(mut self, latest: Option<NodeRef>) -> Self {
        self.behind = latest;
        self
    }

    /// Adds what the version came from in another respect.
    pub(super) fn with_edge(mut self, edge: Edge) -> Self {
        let edges = self.value.edges.iter().cloned().chain([edge]);
        self.value = self.value.clone().with_edges(edges);
        self
    }

    /// Adds to `transaction` what makes this a version of `view`.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound) when a source does not exist,
    /// [`Conflict`](mainstay_core::ErrorKind::Conflict) when the branch has moved, or what it must follow
    /// is not the latest version,
    /// [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists) when a tag is taken.
    pub(super) fn place(&self, view: &View, transaction: &mut Transaction) -> Result<Placed> {
        check_sources(view, &self.value.edges)?;
        if let Some(head) = &self.head {
            head.check(view)?;
        }
        if let Some(wanted) = &self.behind {
            let latest = self.series.latest(view)?;
            if latest.is_none_or(|(latest, _)| latest != *wanted) {
                let message = "the version is not the latest";
                return Err(Error::new(ErrorKind::Conflict, message).context("data", wanted));
            }
        }
        let same = self.same_as(view)?;
        let reused = same.is_some();
        let node = match same {
            Some(node) => node,
            None => self.create(view, transaction)?,
        };
        let mut changes = !reused;
        for tag in &self.tags {
            changes |= set_tag(view, transaction, &self.series, tag, &node)?;
        }
        Ok(Placed {
            node,
            reused,
            changes,
        })
    }

    /// Finds the version this one would follow, if it says the same.
    fn same_as(&self, view: &View) -> Result<Option<NodeRef>> {
        let Some(head) = &self.head else {
            let latest = self.series.latest(view)?;
            let same = |value: &Value| agree(value, &self.value) && value.edges == self.value.edges;
            return Ok(latest
                .filter(|(_, state)| state.value.as_ref().is_some_and(same))
                .map(|(node, _)| node));
        };
        let Some(node) = &head.version else {
            return Ok(None);
        };
        let state = view.get(&node.ref_path())?;
        let value = state.and_then(|state| state.value.as_ref());
        // A merge is worth a version even where it changes nothing.
        let merges = self.value.edges.iter().any(|edge| is_parent(edge, node));
        let same = value.is_some_and(|value| !merges && says_the_same(value, &self.value, node));
        Ok(same.then(|| node.clone()))
    }

    fn create(&self, view: &View, transaction: &mut Transaction) -> Result<NodeRef> {
        let node = self.series.numbered(self.series.next_number(view)?);
        let parent = self.head.as_ref().and_then(|head| head.version.clone());
        let parent = parent.map(|parent| Edge::new(EdgeKind::DerivedFrom, parent));
        let edges = self.value.edges.iter().cloned().chain(parent);
        let value = self.value.clone().with_edges(edges);
        transaction.set(node.ref_path(), value, Expectation::Absent);
        if let Some(head) = &self.head {
            branches::point(transaction, head, &node)?;
        }
        Ok(node)
    }
}

/// Compares what two versions say and came from, apart from the versions of `node`'s dataset that they
/// continue.
fn says_the_same(a: &Value, b: &Value, node: &NodeRef) -> bool {
    let sources = |value: &Value| -> Vec<Edge> {
        let edges = value.edges.iter().filter(|edge| !is_parent(edge, node));
        edges.cloned().collect()
    };
    agree(a, b) && sources(a) == sources(b)
}

/// Compares what two versions say and hold, as far as both know: one of an earlier build knows less.
fn agree(a: &Value, b: &Value) -> bool {
    let record = |value: &Value| value.decode::<VersionRecord>(VersionRecord::KIND);
    let agree = || matches!((record(a), record(b)), (Ok(a), Ok(b)) if a.agrees_with(&b));
    a.kind == b.kind
        && a.blobs == b.blobs
        && a.trees == b.trees
        && (a.record == b.record || agree())
}

/// Checks that every dataset version an edge names exists.
fn check_sources(view: &View, edges: &[Edge]) -> Result<()> {
    let sources = edges.iter().map(|edge| &edge.to);
    for source in sources.filter(|to| to.kind() == NodeKind::Data) {
        if view.get(&source.ref_path())?.is_none() {
            return Err(Error::not_found("data", source));
        }
    }
    Ok(())
}
