//! The order in which the versions of a series were committed.

use std::sync::Arc;

use mainstay_core::{RefPath, Result};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use super::last_of_four;
use crate::{Projection, RefState};

/// What versions are ordered by: the entry, then their number, then their name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Age {
    seq: u64,
    number: Option<u64>,
    version: Arc<str>,
}

impl Age {
    pub(super) fn of(version: &str, seq: u64) -> Self {
        Self {
            seq,
            number: version.parse().ok(),
            version: version.into(),
        }
    }
}

/// The versions of one series by age, and every number they ever had.
#[derive(Debug, Clone, Default)]
pub(super) struct Ages {
    ordered: RedBlackTreeSetSync<Age>,
    /// By which entry each was committed.
    committed: RedBlackTreeMapSync<Arc<str>, u64>,
    highest: u64,
}

impl Ages {
    pub(super) fn newest(&self) -> Option<&str> {
        self.ordered.last().map(|age| &*age.version)
    }

    pub(super) fn count(&self) -> usize {
        self.ordered.size()
    }

    pub(super) fn next_number(&self) -> u64 {
        self.highest.saturating_add(1)
    }
}

impl Projection for Ages {
    fn note(&mut self, path: &RefPath, state: &RefState) -> Result<()> {
        let Some(version) = last_of_four(path) else {
            return Ok(());
        };
        let age = Age::of(version, state.seq);
        self.highest = self.highest.max(age.number.unwrap_or(0));
        if let Some(seq) = self.committed.get(version).copied() {
            self.ordered.remove_mut(&Age::of(version, seq));
        }
        if state.value.is_some() {
            self.committed
                .insert_mut(Arc::clone(&age.version), state.seq);
            self.ordered.insert_mut(age);
        } else {
            self.committed.remove_mut(version);
        }
        Ok(())
    }
}
