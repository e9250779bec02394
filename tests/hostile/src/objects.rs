//! The objects, and the condition under which one is written.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use md5::{Digest as _, Md5};
use tokio::sync::Notify;

/// How the server treats the condition of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Conditions {
    /// As it should.
    #[default]
    Honored,
    /// Not at all: every write takes effect.
    Ignored,
    /// It is checked first and the object written later, so that several writers pass.
    ///
    /// Who has passed the check waits for another writer of the key to pass it too, but no longer
    /// than this.
    Racy(Duration),
    /// No condition is ever met.
    NeverMatching,
    /// A conditional write is acknowledged and nothing is written.
    Forgotten,
}

/// A condition of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    None,
    Absent,
    /// The object has this tag, as the dialect spells it.
    Tag(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    /// Different for each write.
    pub(crate) generation: u64,
}

impl Stored {
    pub(crate) fn md5(&self) -> String {
        let digest = Bytes::copy_from_slice(&Md5::digest(&self.bytes));
        format!("{digest:x}")
    }
}

/// What became of a write.
#[derive(Debug)]
pub(crate) enum Write {
    Done(Stored),
    Unmet,
    Full,
}

/// All objects.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    state: Mutex<State>,
    passed: Notify,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    total_bytes: u64,
    generation: u64,
    /// How many writers have passed the check of a key, where the check is racy.
    passed: BTreeMap<String, u64>,
}

impl State {
    fn insert(&mut self, key: &str, bytes: Bytes, max_total: u64) -> Write {
        let added = bytes.len() as u64;
        let replaced = self
            .objects
            .get(key)
            .map_or(0, |old| old.bytes.len() as u64);
        if self.total_bytes - replaced + added > max_total {
            return Write::Full;
        }
        self.total_bytes = self.total_bytes - replaced + added;
        self.generation += 1;
        let generation = self.generation;
        let stored = Stored { bytes, generation };
        self.objects.insert(key.to_owned(), stored.clone());
        Write::Done(stored)
    }
}

impl Objects {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Stored> {
        self.state().objects.get(key).cloned()
    }

    pub(crate) fn delete(&self, key: &str) -> bool {
        let mut state = self.state();
        state.passed.remove(key);
        let deleted = state.objects.remove(key);
        let bytes = deleted.as_ref().map_or(0, |old| old.bytes.len() as u64);
        state.total_bytes -= bytes;
        deleted.is_some()
    }

    /// Returns up to `max` objects below `prefix` behind `after`, from `from` on, and whether there
    /// are more.
    pub(crate) fn page(&self, query: &Page<'_>, max: usize) -> (Vec<(String, Stored)>, bool) {
        let state = self.state();
        let start = query.from.max(query.prefix).max(query.after);
        let mut found = state
            .objects
            .range(start.to_owned()..)
            .filter(|(key, _)| query.after.is_empty() || key.as_str() > query.after)
            .take_while(|(key, _)| key.as_str() <= query.prefix || key.starts_with(query.prefix))
            .filter(|(key, _)| key.starts_with(query.prefix))
            .map(|(key, stored)| (key.clone(), stored.clone()));
        let page = found.by_ref().take(max).collect();
        (page, found.next().is_some())
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Bytes> {
        let state = self.state();
        let objects = state.objects.iter();
        objects
            .map(|(key, stored)| (key.clone(), stored.bytes.clone()))
            .collect()
    }

    /// Writes in any case.
    pub(crate) fn insert(&self, key: &str, bytes: Bytes, max_total: u64) -> Write {
        self.state().insert(key, bytes, max_total)
    }

    /// Writes if `is_met`, or as the server is told to.
    pub(crate) async fn write_if(
        &self,
        key: &str,
        bytes: Bytes,
        max_total: u64,
        conditions: Conditions,
        is_met: impl Fn(Option<&Stored>) -> bool + Send,
    ) -> Write {
        match conditions {
            Conditions::Ignored => return self.insert(key, bytes, max_total),
            Conditions::NeverMatching => return Write::Unmet,
            Conditions::Forgotten => {
                let generation = 0;
                return Write::Done(Stored { bytes, generation });
            }
            Conditions::Honored => {
                let mut state = self.state();
                return if is_met(state.objects.get(key)) {
                    state.insert(key, bytes, max_total)
                } else {
                    Write::Unmet
                };
            }
            Conditions::Racy(patience) => {
                {
                    let mut state = self.state();
                    if !is_met(state.objects.get(key)) {
                        return Write::Unmet;
                    }
                    *state.passed.entry(key.to_owned()).or_default() += 1;
                }
                self.passed.notify_waiters();
                // Whoever waits longer than that writes alone.
                let _alone = tokio::time::timeout(patience, self.wait_for_rival(key)).await;
            }
        }
        self.insert(key, bytes, max_total)
    }

    async fn wait_for_rival(&self, key: &str) {
        loop {
            let mut notified = std::pin::pin!(self.passed.notified());
            notified.as_mut().enable();
            if self
                .state()
                .passed
                .get(key)
                .is_none_or(|passed| *passed > 1)
            {
                return;
            }
            notified.await;
        }
    }
}

/// Which objects to list; empty texts mean no restriction.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    pub(crate) prefix: &'a str,
    /// Not this one and none before it.
    pub(crate) after: &'a str,
    /// None before this one.
    pub(crate) from: &'a str,
}
