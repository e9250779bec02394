//! Reading entries in order.

use std::collections::VecDeque;

use mainstay_core::{Digest, Result};

use super::TreeEntry;
use super::page::{Page, Place};
use crate::blobs::BlobStore;

/// What comes next in a tree.
#[derive(Debug)]
pub(super) enum Node {
    Page(Place),
    Entry(TreeEntry),
}

/// The rest of a tree, in order.
#[derive(Debug)]
pub(super) struct Nodes {
    store: BlobStore,
    nodes: VecDeque<Node>,
}

impl Nodes {
    pub(super) fn new(store: BlobStore, root: Digest) -> Self {
        Self {
            store,
            nodes: VecDeque::from([Node::Page(Place::root(root))]),
        }
    }

    pub(super) fn peek(&self) -> Option<&Node> {
        self.nodes.front()
    }

    pub(super) fn pop(&mut self) -> Option<Node> {
        self.nodes.pop_front()
    }

    /// Puts what a page holds in front, without what is wholly before `from`.
    pub(super) async fn open(&mut self, place: &Place, from: &str) -> Result<()> {
        match place.load(&self.store).await? {
            Page::Leaf(entries) => {
                let entries = entries.into_iter().rev();
                for entry in entries.take_while(|entry| entry.key.as_str() >= from) {
                    self.nodes.push_front(Node::Entry(entry));
                }
            }
            Page::Branch { level, pages } => {
                let places = place.children(&pages, level).into_iter().rev();
                for place in places.take_while(|place| !place.is_before(from)) {
                    self.nodes.push_front(Node::Page(place));
                }
            }
        }
        Ok(())
    }
}

/// The entries whose keys begin with a prefix.
#[derive(Debug)]
pub(super) struct Scan {
    nodes: Nodes,
    prefix: String,
}

impl Scan {
    pub(super) fn new(store: BlobStore, root: Digest, prefix: &str) -> Self {
        Self {
            nodes: Nodes::new(store, root),
            prefix: prefix.to_owned(),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<TreeEntry>> {
        while let Some(node) = self.nodes.pop() {
            match node {
                Node::Entry(entry) if entry.key.starts_with(&self.prefix) => {
                    return Ok(Some(entry));
                }
                Node::Entry(_) => return Ok(None),
                Node::Page(place) => {
                    let first = place.first().unwrap_or_default();
                    if first > self.prefix.as_str() && !first.starts_with(&self.prefix) {
                        return Ok(None);
                    }
                    self.nodes.open(&place, &self.prefix).await?;
                }
            }
        }
        Ok(None)
    }
}
