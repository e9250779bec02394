//! The refs as of one commit.

mod base;
mod lineage;
mod memory;
mod projection;
mod read;
mod scan;
mod shard;
mod shards;

use std::fmt;
use std::sync::Arc;

use mainstay_core::{Digest, RefPath, Result, Timestamp};
use rpds::{ListSync, RedBlackTreeMapSync};

use self::memory::Memory;
use self::projection::Projections;
use self::read::Misses;
use self::scan::{Merged, scope};
use crate::RefState;

pub(crate) use self::base::{Base, Source};
pub use self::lineage::{Dependent, Mention};
pub use self::projection::Projection;
pub(crate) use self::read::Miss;
pub(crate) use self::shard::Shard;
pub(crate) use self::shards::{Covered, Layer};

/// How many changes a view remembers: to find more one by one saves nothing.
const MAX_CHANGES: usize = 65_536;

/// Every ref as of one log entry: immutable and cheap to clone.
///
/// A view begins from a checkpoint, whose parts are read from the storage when they are needed and
/// kept in memory, shared by clones and later views. Reading it is a pure function of the view,
/// `fn(&View) -> Result<T>`, run by [`View::read`], [`Repo::read`](crate::Repo::read) or
/// [`Repo::transact`](crate::Repo::transact): where the function comes to a part that is not in
/// memory, its call fails, the part is loaded, and the function runs again, whatever it made of the
/// failure.
///
/// ```
/// # use std::sync::Arc;
/// # use mainstay_core::RefPath;
/// # use mainstay_repo::{Repo, RepoOptions, View};
/// # use mainstay_store::MemoryStorage;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
/// fn versions(view: &View) -> mainstay_core::Result<usize> {
///     Ok(view.below("model/fraud/version")?.count())
/// }
///
/// let view = repo.view().await?;
/// assert_eq!(view.read(versions).await?, 0);
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct View {
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    /// The digest of the entry this view is of; `None` before the first.
    pub(crate) entry: Option<Digest>,
    /// The checkpoint it begins from.
    pub(crate) base: Arc<Base>,
    /// The refs that changed since.
    pub(crate) refs: RedBlackTreeMapSync<RefPath, Arc<RefState>>,
    /// The idempotency keys used since.
    pub(crate) keys: RedBlackTreeMapSync<String, KeyUse>,
    /// The links stated since, and the entry that did.
    pub(crate) links: RedBlackTreeMapSync<String, u64>,
    /// The refs that entries after `since` changed, and which entry did; the newest first.
    changes: ListSync<(u64, RefPath)>,
    since: u64,
    /// Shared with the views this one came from and those that come from it.
    projections: Arc<Projections>,
    /// Shared likewise.
    memory: Arc<Memory>,
    /// What was asked of this evaluation and is not in memory.
    misses: Arc<Misses>,
}

/// What an idempotency key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyUse {
    /// The digest of the request.
    pub(crate) request: Digest,
    /// The entry that committed it.
    pub(crate) seq: u64,
    /// The time of that entry.
    pub(crate) time: Timestamp,
}

impl View {
    /// Creates the view before the first entry.
    pub(crate) fn empty() -> Self {
        Self::of(Base::empty())
    }

    /// Creates the view that a checkpoint holds.
    pub(crate) fn of(base: Base) -> Self {
        Self {
            seq: base.seq,
            since: base.seq,
            time: base.time,
            entry: base.entry,
            base: Arc::new(base),
            refs: RedBlackTreeMapSync::new_sync(),
            keys: RedBlackTreeMapSync::new_sync(),
            links: RedBlackTreeMapSync::new_sync(),
            changes: ListSync::new_sync(),
            projections: Arc::default(),
            memory: Arc::default(),
            misses: Arc::default(),
        }
    }

    /// Returns the same view, beginning from a checkpoint of an entry that is not later.
    ///
    /// Complexity: O(what has changed since the checkpoint that it begins from now).
    pub(crate) fn rebased(&self, base: &Arc<Base>) -> Self {
        let refs = self.refs.iter().filter(|(_, state)| state.seq > base.seq);
        let keys = self.keys.iter().filter(|(_, used)| used.seq > base.seq);
        let links = self.links.iter().filter(|(_, seq)| **seq > base.seq);
        // A projection of the moment before this may be brought up to date yet.
        let since = self.base.seq.max(self.since);
        let changes = self.changes.iter().take_while(|(seq, _)| *seq > since);
        Self {
            base: Arc::clone(base),
            refs: refs
                .map(|(path, state)| (path.clone(), Arc::clone(state)))
                .collect(),
            keys: keys.map(|(key, used)| (key.clone(), *used)).collect(),
            links: links.map(|(link, seq)| (link.clone(), *seq)).collect(),
            changes: changes.cloned().collect(),
            since,
            projections: Arc::clone(&self.projections),
            memory: Arc::clone(&self.memory),
            misses: Arc::default(),
            ..*self
        }
    }

    /// Puts a ref into the state that the entry of this view gives it.
    pub(crate) fn put(&mut self, path: RefPath, state: RefState) {
        if self.changes.len() == MAX_CHANGES {
            (self.changes, self.since) = (ListSync::new_sync(), state.seq);
        }
        self.changes.push_front_mut((state.seq, path.clone()));
        self.refs.insert_mut(path, Arc::new(state));
    }

    /// Returns the log entry this view is of; 0 before the first.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the time of that entry; the earliest of all times before the first.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns a ref that holds a value. Complexity: O(log n).
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the part of the view it is in is not in
    /// memory; see [`View`].
    pub fn get(&self, path: &RefPath) -> Result<Option<&RefState>> {
        let state = self.state(path)?;
        Ok(state.filter(|state| state.value.is_some()))
    }

    /// Returns a ref, also the tombstone of a deleted one. Complexity: O(log n).
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn state(&self, path: &RefPath) -> Result<Option<&RefState>> {
        self.peek_state(path).map_err(|miss| self.miss([miss]))
    }

    /// Iterates in order over the refs below `prefix` that hold a value; `""` means all.
    ///
    /// As [`states_below`](Self::states_below) without the tombstones.
    ///
    /// # Errors
    /// As [`get`](Self::get), for any part of the view that may hold such refs.
    pub fn below<'v>(
        &'v self,
        prefix: &str,
    ) -> Result<impl Iterator<Item = (&'v RefPath, &'v RefState)> + use<'v>> {
        let states = self.states_below(prefix)?;
        Ok(states.filter(|(_, state)| state.value.is_some()))
    }

    /// Iterates in order over the refs below `prefix`, tombstones included; `""` means all.
    ///
    /// `prefix` is the first segments of a path, with or without a final `/`; nothing lies below
    /// text that is no such prefix. Complexity: O(log n + result).
    ///
    /// # Errors
    /// As [`below`](Self::below).
    pub fn states_below<'v>(
        &'v self,
        prefix: &str,
    ) -> Result<impl Iterator<Item = (&'v RefPath, &'v RefState)> + use<'v>> {
        let scan = match scope(prefix) {
            Some(scope) => {
                let base = self.base.refs.below(&scope);
                let base = base.map_err(|slots| self.miss(slots.into_iter().map(Miss::Ref)))?;
                let changed = self
                    .refs
                    .range((scope.from.clone(), std::ops::Bound::Unbounded));
                let changed = changed
                    .take_while(move |(path, _)| scope.holds(path))
                    .map(|(path, state)| (path, state.as_ref()));
                Some(Merged::new(changed, base))
            }
            None => None,
        };
        Ok(scan.into_iter().flatten())
    }

    /// Returns what an idempotency key stands for.
    pub(crate) fn key(&self, key: &String) -> Result<Option<&KeyUse>> {
        self.peek_key(key).map_err(|miss| self.miss([miss]))
    }

    /// As [`state`](Self::state), without asking for what is not in memory.
    pub(crate) fn peek_state(&self, path: &RefPath) -> Result<Option<&RefState>, Miss> {
        match self.refs.get(path) {
            Some(state) => Ok(Some(state)),
            None => self.base.refs.get(path).map_err(Miss::Ref),
        }
    }

    /// As [`key`](Self::key), without asking for what is not in memory.
    pub(crate) fn peek_key(&self, key: &String) -> Result<Option<&KeyUse>, Miss> {
        match self.keys.get(key) {
            Some(used) => Ok(Some(used)),
            None => self.base.keys.get(key).map_err(Miss::Key),
        }
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("seq", &self.seq)
            .field("time", &self.time)
            .field("entry", &self.entry)
            .field("base", &self.base)
            .field("changed_refs", &self.refs.size())
            .field("used_keys", &self.keys.size())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
