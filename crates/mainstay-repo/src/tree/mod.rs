//! Trees: sorted entries in pages that versions share, each entry with the blobs it needs.
//!
//! What is stored is described in `docs/formats/tree.md`.

mod build;
mod diff;
mod page;
mod reach;
mod scan;
#[cfg(test)]
mod tests;

use std::fmt;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use mainstay_core::{Digest, Result};
use serde::{Deserialize, Serialize};

pub use self::build::{StoredTree, TreeBuilder};
use self::diff::Differ;
use self::page::{Page, Place};
pub(crate) use self::reach::{Reached, holders, in_order, novel, reach};
use self::scan::Scan;
use crate::blobs::BlobStore;

/// A stored tree: entries in the byte order of their keys. Cheap to clone; made without I/O.
///
/// Pages are read when they are needed: looking up a key reads one page a level, about three for a
/// million entries.
#[derive(Clone)]
pub struct Tree {
    store: BlobStore,
    root: Digest,
}

/// An entry of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TreeEntry {
    /// Its key: 1 to 4,096 bytes, unique in the tree.
    pub key: String,
    /// What its owner says of it.
    pub record: serde_json::Value,
    /// The blobs it needs, in an order of the owner's.
    pub blobs: Vec<Digest>,
}

/// How an entry differs between two trees.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TreeChange {
    /// The later tree alone has it.
    Added(TreeEntry),
    /// The earlier tree alone has it.
    Removed(TreeEntry),
    /// Both have the key, with different records or blobs.
    Changed {
        /// In the earlier tree.
        before: TreeEntry,
        /// In the later tree.
        after: TreeEntry,
    },
}

impl TreeEntry {
    /// Makes an entry.
    #[must_use]
    pub fn new(
        key: impl Into<String>,
        record: serde_json::Value,
        blobs: impl IntoIterator<Item = Digest>,
    ) -> Self {
        Self {
            key: key.into(),
            record,
            blobs: blobs.into_iter().collect(),
        }
    }
}

impl TreeChange {
    /// Returns the key of the entry.
    #[must_use]
    pub fn key(&self) -> &str {
        let (Self::Added(entry) | Self::Removed(entry) | Self::Changed { after: entry, .. }) = self;
        &entry.key
    }

    /// Returns the entry of the later tree, if it has one.
    #[must_use]
    pub fn after(&self) -> Option<&TreeEntry> {
        match self {
            Self::Added(entry) | Self::Changed { after: entry, .. } => Some(entry),
            Self::Removed(_) => None,
        }
    }
}

impl Tree {
    pub(crate) fn new(store: BlobStore, root: Digest) -> Self {
        Self { store, root }
    }

    /// Returns the digest of the root page, which identifies the entries.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root
    }

    /// Finds an entry by its key.
    ///
    /// # Errors
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a page is gone or damaged,
    /// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it.
    pub async fn get(&self, key: &str) -> Result<Option<TreeEntry>> {
        let mut place = Place::root(self.root);
        loop {
            match place.load(&self.store).await? {
                Page::Leaf(mut entries) => {
                    let found = entries.binary_search_by(|entry| entry.key.as_str().cmp(key));
                    return Ok(found.ok().map(|at| entries.swap_remove(at)));
                }
                Page::Branch { level, pages } => {
                    let at = pages.partition_point(|child| child.first.as_str() <= key);
                    let Some(at) = at.checked_sub(1) else {
                        return Ok(None);
                    };
                    place = Place::of(&pages, at, level, &place);
                }
            }
        }
    }

    /// Streams all entries in order. Errors as [`get`](Self::get); the stream ends with the first.
    pub fn entries(&self) -> BoxStream<'static, Result<TreeEntry>> {
        self.below("")
    }

    /// Streams the entries whose keys begin with `prefix`, in order, reading no other pages.
    ///
    /// Errors as [`get`](Self::get); the stream ends with the first.
    pub fn below(&self, prefix: &str) -> BoxStream<'static, Result<TreeEntry>> {
        let scan = Scan::new(self.store.clone(), self.root, prefix);
        stream::try_unfold(scan, |mut scan| async move {
            Ok(scan.next().await?.map(|entry| (entry, scan)))
        })
        .boxed()
    }

    /// Streams how this tree differs from an earlier one, in key order.
    ///
    /// Pages that both have are not read. Errors as [`get`](Self::get); the stream ends with the first.
    ///
    /// Complexity: O(d log n) pages for d differences.
    pub fn changes_since(&self, before: &Self) -> BoxStream<'static, Result<TreeChange>> {
        let differ = Differ::new(
            (before.store.clone(), before.root),
            (self.store.clone(), self.root),
        );
        stream::try_unfold(differ, |mut differ| async move {
            Ok(differ.next().await?.map(|change| (change, differ)))
        })
        .boxed()
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
