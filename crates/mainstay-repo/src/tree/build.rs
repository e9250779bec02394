//! Storing a tree.

use std::mem;

use mainstay_core::{Digest, Error, Result, canon};

use super::TreeEntry;
use super::page::{Child, Draft, Item, MAX_ENTRY_BYTES, MAX_KEY_BYTES, MAX_LEVEL};
use crate::Ingest;

/// Stores the entries of a tree, given in order, as pages.
///
/// Equal entries are the same pages, whatever was stored before, and pages that are stored already are
/// not stored again. Memory: a page of each level.
///
/// ```
/// use std::sync::Arc;
///
/// use futures::TryStreamExt;
/// use mainstay_core::Actor;
/// use mainstay_repo::{Expectation, Repo, RepoOptions, Transaction, TreeBuilder, TreeEntry, Value};
/// use mainstay_store::MemoryStorage;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
/// let mut ingest = repo.ingest();
/// let mut tree = TreeBuilder::new();
/// for name in ["a.txt", "b.txt"] {
///     let blob = ingest.bytes(name.into()).await?;
///     let entry = TreeEntry::new(name, serde_json::json!({ "bytes": blob.size }), [blob.digest]);
///     tree.add(&mut ingest, &entry).await?;
/// }
/// let stored = tree.finish(&mut ingest).await?;
/// ingest.finish().await?;
///
/// // Whoever names the root keeps the pages and the blobs of the entries.
/// let value = Value::new("files", &2)?.with_trees([stored.root]);
/// let mut transaction = Transaction::new(Actor::new("ada")?, "two files");
/// transaction.set("data/letters/version/1".parse()?, value, Expectation::Absent);
/// repo.commit(transaction).await?;
///
/// let tree = repo.tree(&stored.root);
/// assert_eq!(tree.get("b.txt").await?.unwrap().record["bytes"], 5);
/// assert_eq!(tree.entries().try_collect::<Vec<_>>().await?.len(), 2);
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct TreeBuilder {
    /// By level, the leaf first.
    drafts: Vec<Draft>,
    last: String,
    entries: u64,
    new_bytes: u64,
}

/// A tree that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredTree {
    /// The digest of the root page, which identifies the entries.
    pub root: Digest,
    /// How many entries it has.
    pub entries: u64,
    /// Bytes of pages that were not in the repository before.
    pub new_bytes: u64,
}

impl TreeBuilder {
    /// Begins a tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the entry that comes next in the byte order of keys.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the key is empty, has more than 4,096 bytes
    /// or does not come behind the one before, or the entry takes more than 64 KiB as JSON; those of
    /// [`Ingest::bytes`].
    pub async fn add(&mut self, ingest: &mut Ingest, entry: &TreeEntry) -> Result<()> {
        let refused = |why: &str| Err(Error::invalid(why).context("key", entry.key.escape_debug()));
        if entry.key.is_empty() || entry.key.len() > MAX_KEY_BYTES {
            return refused("a key of a tree has 1 to 4,096 bytes");
        }
        if entry.key <= self.last {
            return refused("entries of a tree come in the order of their keys, each once");
        }
        let encoded = canon::to_vec(entry)?;
        if encoded.len() > MAX_ENTRY_BYTES {
            return refused("an entry of a tree takes at most 65,536 bytes");
        }
        self.last.clone_from(&entry.key);
        self.entries += 1;
        let item = Item {
            key: entry.key.clone(),
            entries: 1,
            page: None,
            encoded,
        };
        self.push(ingest, item).await
    }

    /// Stores what is left.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) for a tree without entries; those of
    /// [`Ingest::bytes`].
    pub async fn finish(mut self, ingest: &mut Ingest) -> Result<StoredTree> {
        let mut level = 0;
        let root = loop {
            let is_top = level + 1 >= self.drafts.len();
            let Some(draft) = self.drafts.get_mut(level) else {
                return Err(Error::invalid("a tree without entries"));
            };
            if draft.is_empty() {
                level += 1;
                continue;
            }
            if let Some(only) = draft.only_page().filter(|_| is_top) {
                break only;
            }
            let child = self.store(ingest, level).await?;
            if is_top {
                break child.page;
            }
            level += 1;
            self.put(ingest, level, Item::child(child)?).await?;
        };
        Ok(StoredTree {
            root,
            entries: self.entries,
            new_bytes: self.new_bytes,
        })
    }

    async fn push(&mut self, ingest: &mut Ingest, item: Item) -> Result<()> {
        self.put(ingest, 0, item).await
    }

    /// Adds an item to the page of a level, and to those above what ends by that.
    async fn put(&mut self, ingest: &mut Ingest, level: usize, item: Item) -> Result<()> {
        let (mut level, mut item) = (level, item);
        loop {
            if level > usize::from(MAX_LEVEL) {
                return Err(Error::invalid("a tree of too many levels"));
            }
            if self.drafts.len() == level {
                self.drafts.push(Draft::default());
            }
            let draft = &mut self.drafts[level];
            let left = draft.add(item);
            if left.is_none() && !draft.has_ended() {
                return Ok(());
            }
            let child = self.store(ingest, level).await?;
            if let Some(left) = left {
                // The first of a page, which never ends it.
                self.drafts[level].add(left);
            }
            item = Item::child(child)?;
            level += 1;
        }
    }

    /// Stores the page of a level and begins the next.
    async fn store(&mut self, ingest: &mut Ingest, level: usize) -> Result<Child> {
        let draft = mem::take(&mut self.drafts[level]);
        let (child, bytes) = draft.finish(level);
        self.new_bytes += ingest.bytes(bytes).await?.new_bytes;
        Ok(child)
    }
}
