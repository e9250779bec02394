//! The items that one shard of a checkpoint holds in memory.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use mainstay_core::Timestamp;

use crate::checkpoint::item::Held;

/// The items of a shard, in order; at least one.
#[derive(Debug)]
pub(crate) struct Shard<T: Held> {
    items: Vec<(T::Key, T::State)>,
    /// Where each is, by the hash of its key: a search by order misses the processor's cache at every
    /// step.
    places: HashTable<u32>,
    hashes: RandomState,
    /// Made again from the log, since the stored one is damaged.
    rebuilt: bool,
    /// The latest entry that changed one of them, and its time.
    latest: (u64, Timestamp),
}

impl<T: Held> Shard<T> {
    pub(crate) fn new(items: Vec<(T::Key, T::State)>) -> Self {
        let moments = items.iter().map(|(_, state)| T::moment(state));
        let latest = moments.fold((0, Timestamp::from_unix_micros(i64::MIN)), |a, b| {
            (a.0.max(b.0), a.1.max(b.1))
        });
        let hashes = RandomState::new();
        let hash = |key: &T::Key| hashes.hash_one(key);
        let mut places = HashTable::with_capacity(items.len());
        for (place, (key, _)) in (0_u32..).zip(&items) {
            places.insert_unique(hash(key), place, |at| hash(&items[*at as usize].0));
        }
        Self {
            items,
            places,
            hashes,
            rebuilt: false,
            latest,
        }
    }

    /// Creates a shard of items made again from the log.
    pub(super) fn rebuilt(items: Vec<(T::Key, T::State)>) -> Self {
        Self {
            rebuilt: true,
            ..Self::new(items)
        }
    }

    pub(crate) fn items(&self) -> &[(T::Key, T::State)] {
        &self.items
    }

    pub(crate) fn is_rebuilt(&self) -> bool {
        self.rebuilt
    }

    /// The latest entry that changed one of the items, and its time.
    pub(super) fn latest(&self) -> (u64, Timestamp) {
        self.latest
    }

    pub(super) fn get(&self, key: &T::Key) -> Option<&T::State> {
        let is_it = |at: &u32| self.items[*at as usize].0 == *key;
        let at = self.places.find(self.hashes.hash_one(key), is_it)?;
        Some(&self.items[*at as usize].1)
    }
}
