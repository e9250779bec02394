//! What was made of a few refs, kept while they stay as they are.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mainstay_core::{Digest, RefPath};

use super::View;

/// How much is kept for the views of one repository, as whoever keeps it weighs it.
const MAX_BYTES: usize = 8 << 20;

/// How many changes are looked at to find out whether something is as it was: to make it anew costs about as
/// much.
const MAX_LOOKED_AT: usize = 256;

/// What is kept, the used before the unused: when the young half is full it becomes the old half, and what is
/// found in the old half becomes young again.
#[derive(Default)]
pub(super) struct Memory(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    young: Half,
    old: Half,
}

#[derive(Default)]
struct Half {
    kept: HashMap<TypeId, HashMap<Box<str>, Kept>>,
    bytes: usize,
}

/// Something made of the view of one entry.
#[derive(Clone)]
struct Kept {
    seq: u64,
    entry: Digest,
    bytes: usize,
    made: Arc<dyn Any + Send + Sync>,
}

impl View {
    /// Returns what was [kept](Self::keep) under a key, if it would be made the same of this view: no ref that
    /// `concerns` it has changed since, deletions included.
    ///
    /// Complexity: O(1) when it was made of this view or one of the same entry; otherwise linear in the changes
    /// since, of which it looks at 256 at most.
    pub fn recall<T: Any + Send + Sync>(
        &self,
        key: &str,
        concerns: impl Fn(&RefPath) -> bool,
    ) -> Option<Arc<T>> {
        let kept = self.memory.get::<T>(key)?;
        if Some(kept.entry) == self.entry {
            return kept.made.downcast().ok();
        }
        if !(self.since..self.seq).contains(&kept.seq) {
            return None;
        }
        let mut changes = self.changes.iter().take_while(|(at, _)| *at > kept.seq);
        if changes
            .by_ref()
            .take(MAX_LOOKED_AT)
            .any(|(_, path)| concerns(path))
        {
            return None;
        }
        if changes.next().is_some() {
            return None;
        }
        let made = kept.made.downcast().ok()?;
        self.keep(key, kept.bytes, &made);
        Some(made)
    }

    /// Keeps what was made of this view, to be [recalled](Self::recall) from it and from later ones.
    ///
    /// It must be a function of the refs that are said to concern it, and of nothing else. Of all that is kept
    /// for the views of one repository, 8 MiB by the `bytes` it is said to take, what was not asked for the
    /// longest gives way.
    pub fn keep<T: Any + Send + Sync>(&self, key: &str, bytes: usize, made: &Arc<T>) {
        // What an entry in the making says is forgotten if it loses its race.
        if let Some(entry) = self.entry {
            let made = Arc::clone(made) as _;
            let kept = Kept {
                seq: self.seq,
                entry,
                bytes,
                made,
            };
            self.memory.put::<T>(key, kept);
        }
    }
}

impl Memory {
    fn get<T: Any>(&self, key: &str) -> Option<Kept> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = halves.young.get(TypeId::of::<T>(), key) {
            return Some(kept.clone());
        }
        let (key, kept) = halves.old.take(TypeId::of::<T>(), key)?;
        halves.put(TypeId::of::<T>(), key, kept.clone());
        Some(kept)
    }

    fn put<T: Any>(&self, key: &str, kept: Kept) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = halves
            .young
            .get(TypeId::of::<T>(), key)
            .map(|kept| kept.seq);
        // Someone who looks at an earlier view.
        if before.is_none_or(|before| before <= kept.seq) {
            halves.put(TypeId::of::<T>(), key.into(), kept);
        }
    }
}

impl Halves {
    fn put(&mut self, of: TypeId, key: Box<str>, kept: Kept) {
        drop(self.young.take(of, &key));
        drop(self.old.take(of, &key));
        if kept.bytes > MAX_BYTES / 2 {
            return;
        }
        if self.young.bytes + kept.bytes > MAX_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += kept.bytes;
        self.young.kept.entry(of).or_default().insert(key, kept);
    }
}

impl Half {
    fn get(&self, of: TypeId, key: &str) -> Option<&Kept> {
        self.kept.get(&of)?.get(key)
    }

    fn take(&mut self, of: TypeId, key: &str) -> Option<(Box<str>, Kept)> {
        let taken = self.kept.get_mut(&of)?.remove_entry(key)?;
        self.bytes -= taken.1.bytes;
        Some(taken)
    }
}

#[cfg(test)]
mod tests;
