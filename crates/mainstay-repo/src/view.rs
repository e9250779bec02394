//! The refs as of one commit.

use std::sync::Arc;

use mainstay_core::{RefPath, Timestamp};
use rpds::RedBlackTreeMapSync;

use crate::RefState;

/// Every ref as of one log entry: immutable, cheap to clone, read without I/O.
#[derive(Debug, Clone)]
pub struct View {
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    pub(crate) refs: RedBlackTreeMapSync<RefPath, Arc<RefState>>,
}

impl View {
    /// Creates the view before the first entry.
    pub(crate) fn empty() -> Self {
        Self {
            seq: 0,
            time: Timestamp::UNIX_EPOCH,
            refs: RedBlackTreeMapSync::new_sync(),
        }
    }

    /// Returns the log entry this view is of; 0 before the first.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Returns the time of that entry.
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
    pub fn below(&self, prefix: &str) -> impl Iterator<Item = (&RefPath, &RefState)> {
        self.states_below(prefix)
            .filter(|(_, state)| state.value.is_some())
    }

    /// Iterates in order over the refs below `prefix`, tombstones included; `""` means all.
    ///
    /// Complexity: O(log n + result) for a prefix of two or more segments.
    pub fn states_below(&self, prefix: &str) -> impl Iterator<Item = (&RefPath, &RefState)> {
        let prefix = prefix.trim_end_matches('/').to_owned();
        // Everything below the prefix sorts right after the prefix itself.
        let from = RefPath::new(&prefix).ok();
        let range: Box<dyn Iterator<Item = (&RefPath, &Arc<RefState>)> + Send> = match from {
            Some(from) => Box::new(self.refs.range(from..)),
            None => Box::new(self.refs.iter()),
        };
        let mut entered = false;
        range
            .skip_while({
                let prefix = prefix.clone();
                move |(path, _)| !path.is_below(&prefix)
            })
            .take_while(move |(path, _)| {
                entered |= path.is_below(&prefix);
                entered && path.is_below(&prefix)
            })
            .map(|(path, state)| (path, state.as_ref()))
    }
}
