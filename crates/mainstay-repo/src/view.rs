//! The refs as of one commit.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use mainstay_core::{Digest, RefPath, Timestamp};
use rpds::RedBlackTreeMapSync;

use crate::RefState;

/// Every ref as of one log entry: immutable, cheap to clone, read without I/O.
#[derive(Clone)]
pub struct View {
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    /// The digest of the entry this view is of; `None` before the first.
    pub(crate) entry: Option<Digest>,
    pub(crate) refs: RedBlackTreeMapSync<RefPath, Arc<RefState>>,
    /// The idempotency keys used so far.
    pub(crate) keys: RedBlackTreeMapSync<String, KeyUse>,
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
        Self {
            seq: 0,
            // Before every time a clock can tell, so that the first entry may have any.
            time: Timestamp::from_unix_micros(i64::MIN),
            entry: None,
            refs: RedBlackTreeMapSync::new_sync(),
            keys: RedBlackTreeMapSync::new_sync(),
        }
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
    #[must_use]
    pub fn get(&self, path: &RefPath) -> Option<&RefState> {
        self.state(path).filter(|state| state.value.is_some())
    }

    /// Returns a ref, also the tombstone of a deleted one. Complexity: O(log n).
    #[must_use]
    pub fn state(&self, path: &RefPath) -> Option<&RefState> {
        self.refs.get(path).map(AsRef::as_ref)
    }

    /// Iterates in order over the refs below `prefix` that hold a value; `""` means all.
    ///
    /// As [`states_below`](Self::states_below) without the tombstones.
    pub fn below<'v>(
        &'v self,
        prefix: &str,
    ) -> impl Iterator<Item = (&'v RefPath, &'v RefState)> + use<'v> {
        self.states_below(prefix)
            .filter(|(_, state)| state.value.is_some())
    }

    /// Iterates in order over the refs below `prefix`, tombstones included; `""` means all.
    ///
    /// `prefix` is the first segments of a path, with or without a final `/`; nothing lies below
    /// text that is no such prefix. Complexity: O(log n + result).
    pub fn states_below<'v>(
        &'v self,
        prefix: &str,
    ) -> impl Iterator<Item = (&'v RefPath, &'v RefState)> + use<'v> {
        scope(prefix).into_iter().flat_map(move |(prefix, from)| {
            self.refs
                .range((from, Bound::Unbounded))
                .take_while(move |(path, _)| path.is_below(&prefix))
                .map(|(path, state)| (path, state.as_ref()))
        })
    }
}

/// The normalized prefix and where the paths below it begin; `None` when there can be none.
fn scope(prefix: &str) -> Option<(String, Bound<RefPath>)> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        return Some((String::new(), Bound::Unbounded));
    }
    // "0" is the least of all names, so this is the least path below the prefix.
    let least = RefPath::new(&format!("{prefix}/0")).ok()?;
    let normalized = least.as_str().strip_suffix("/0")?.to_owned();
    Some((normalized, Bound::Included(least)))
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("seq", &self.seq)
            .field("time", &self.time)
            .field("entry", &self.entry)
            .field("refs", &self.refs.size())
            .field("keys", &self.keys.size())
            .finish()
    }
}

#[cfg(test)]
mod tests;
