//! What processes tried and what they were told, and whether a repository agrees.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// What one ref holds: contents, or nothing.
pub(crate) type Held = Option<Vec<Bytes>>;

/// Attempts in the order in which they began. Every path has one writer, which does one thing after
/// the other.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    paths: BTreeMap<String, Vec<Attempt>>,
    /// Increments of the shared counter: acknowledged, and of unknown fate.
    counter: (u64, u64),
    /// Idempotency keys of acknowledged transactions.
    keys: BTreeSet<String>,
    acknowledged: u64,
}

#[derive(Debug)]
struct Attempt {
    held: Held,
    acknowledged: bool,
}

impl Ledger {
    /// Notes that a commit begins; returns its number.
    pub(crate) fn attempt(&mut self, path: &str, held: Held) -> usize {
        let attempts = self.paths.entry(path.to_owned()).or_default();
        attempts.push(Attempt {
            held,
            acknowledged: false,
        });
        attempts.len() - 1
    }

    pub(crate) fn acknowledge(&mut self, path: &str, attempt: usize) {
        self.paths.get_mut(path).unwrap()[attempt].acknowledged = true;
        self.acknowledged += 1;
    }

    /// Notes that an attempt is known not to have taken effect.
    pub(crate) fn refuse(&mut self, path: &str, attempt: usize) {
        let attempts = self.paths.get_mut(path).unwrap();
        assert_eq!(attempts.len(), attempt + 1, "one after the other");
        attempts.pop();
    }

    pub(crate) fn begin_count(&mut self) {
        self.counter.1 += 1;
    }

    pub(crate) fn count(&mut self, acknowledged: bool) {
        self.counter.1 -= 1;
        if acknowledged {
            self.counter.0 += 1;
            self.acknowledged += 1;
        }
    }

    pub(crate) fn key(&mut self, key: String) {
        self.keys.insert(key);
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) fn keys(&self) -> &BTreeSet<String> {
        &self.keys
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &String> {
        self.paths.keys()
    }

    /// What a path may hold: what was acknowledged last, or what was tried since.
    pub(crate) fn possible(&self, path: &str) -> Vec<&Held> {
        let attempts = &self.paths[path];
        let last = attempts.iter().rposition(|attempt| attempt.acknowledged);
        let since = attempts[last.unwrap_or(0)..].iter().map(|a| &a.held);
        let nothing = last.is_none().then_some(&None);
        nothing.into_iter().chain(since).collect()
    }

    pub(crate) fn assert_counter(&self, value: u64) {
        let (acknowledged, unknown) = self.counter;
        let possible = acknowledged..=acknowledged + unknown;
        assert!(possible.contains(&value), "{value} of {possible:?}");
    }
}
