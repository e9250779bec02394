//! How two trees differ, found without reading the pages that both have.

use std::cmp::Ordering;

use mainstay_core::{Digest, Result};

use super::page::Place;
use super::scan::{Node, Nodes};
use super::{TreeChange, TreeEntry};
use crate::blobs::BlobStore;

/// Walks two trees at once, in key order.
#[derive(Debug)]
pub(super) struct Differ {
    before: Nodes,
    after: Nodes,
    /// The pages of the later tree that were read: those that the earlier does not have, at least.
    pub(super) opened: Vec<Digest>,
}

/// What stands in front.
enum Step {
    /// Both have the same page.
    Skip,
    OpenBefore,
    OpenAfter,
    Removed,
    Added,
    Both,
    End,
}

impl Differ {
    pub(super) fn new(before: (BlobStore, Digest), after: (BlobStore, Digest)) -> Self {
        Self {
            before: Nodes::new(before.0, before.1),
            after: Nodes::new(after.0, after.1),
            opened: Vec::new(),
        }
    }

    /// Returns the next difference.
    pub(super) async fn next(&mut self) -> Result<Option<TreeChange>> {
        loop {
            match step(self.before.peek(), self.after.peek()) {
                Step::End => return Ok(None),
                Step::Skip => {
                    self.before.pop();
                    self.after.pop();
                }
                Step::OpenBefore => {
                    if let Some(Node::Page(place)) = self.before.pop() {
                        self.before.open(&place, "").await?;
                    }
                }
                Step::OpenAfter => {
                    if let Some(Node::Page(place)) = self.after.pop() {
                        self.opened.push(place.page);
                        self.after.open(&place, "").await?;
                    }
                }
                Step::Removed => return Ok(entry(self.before.pop()).map(TreeChange::Removed)),
                Step::Added => return Ok(entry(self.after.pop()).map(TreeChange::Added)),
                Step::Both => {
                    let both = entry(self.before.pop()).zip(entry(self.after.pop()));
                    match both {
                        Some((before, after)) if before != after => {
                            return Ok(Some(TreeChange::Changed { before, after }));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

fn entry(node: Option<Node>) -> Option<TreeEntry> {
    match node {
        Some(Node::Entry(entry)) => Some(entry),
        _ => None,
    }
}

fn step(before: Option<&Node>, after: Option<&Node>) -> Step {
    match (before, after) {
        (None, None) => Step::End,
        (Some(Node::Page(_)), None) => Step::OpenBefore,
        (None, Some(Node::Page(_))) => Step::OpenAfter,
        (Some(Node::Entry(_)), None) => Step::Removed,
        (None, Some(Node::Entry(_))) => Step::Added,
        (Some(Node::Page(before)), Some(Node::Page(after))) => pages(before, after),
        (Some(Node::Entry(before)), Some(Node::Page(after))) => {
            if after
                .first()
                .is_some_and(|first| before.key.as_str() < first)
            {
                Step::Removed
            } else {
                Step::OpenAfter
            }
        }
        (Some(Node::Page(before)), Some(Node::Entry(after))) => {
            if before
                .first()
                .is_some_and(|first| after.key.as_str() < first)
            {
                Step::Added
            } else {
                Step::OpenBefore
            }
        }
        (Some(Node::Entry(before)), Some(Node::Entry(after))) => match before.key.cmp(&after.key) {
            Ordering::Less => Step::Removed,
            Ordering::Greater => Step::Added,
            Ordering::Equal => Step::Both,
        },
    }
}

/// Opens the higher of two pages, so that those of one level meet; else the one that begins first.
fn pages(before: &Place, after: &Place) -> Step {
    if before.page == after.page {
        return Step::Skip;
    }
    // A root is opened before anything else: its level is not known.
    let level = |place: &Place| place.level().unwrap_or(u8::MAX);
    match level(before).cmp(&level(after)) {
        Ordering::Greater => Step::OpenBefore,
        Ordering::Equal if before.first() <= after.first() => Step::OpenBefore,
        Ordering::Less | Ordering::Equal => Step::OpenAfter,
    }
}
