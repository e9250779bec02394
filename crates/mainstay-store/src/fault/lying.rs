//! Storages that break the contract and do not say so.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::Result;

use crate::mix::mix;
use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
    StorageExt as _,
};

/// Which promise of [`Storage`] a [`LyingStorage`] breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lie {
    /// Creation replaces what is there and says that it wrote, as servers do that do not know the
    /// condition.
    IgnoresCondition,
    /// Creation looks whether the key is there, lets others run, and writes: concurrent creators all
    /// win, while one after the other behaves well.
    Races,
    /// Every creation is refused, as by servers that never take a condition for met.
    NeverMatches,
    /// `get` goes on reading what was there before a `put` or `delete`, for some operations.
    StaleReads,
    /// `list` goes on listing what was there before a `put` or `delete`, for some operations.
    StaleLists,
    /// `put` says that it wrote, and did not.
    ForgetsWrites,
}

impl Lie {
    /// Returns every lie.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &[
            Self::IgnoresCondition,
            Self::Races,
            Self::NeverMatches,
            Self::StaleReads,
            Self::StaleLists,
            Self::ForgetsWrites,
        ]
    }
}

/// Wraps a storage and breaks one promise, to test that what relies on the promise notices.
///
/// Nothing fails and nothing else is wrong with it. What is left to chance, as how long reads are
/// stale, depends only on the seed and the number of the operation.
#[derive(Debug)]
pub struct LyingStorage<S> {
    inner: S,
    lie: Lie,
    seed: u64,
    past: Mutex<Past>,
}

/// What stale answers are made of.
#[derive(Debug, Default)]
struct Past {
    operations: u64,
    /// What was under a key before it was written to, and the operation that sees the new.
    before: BTreeMap<Key, (Option<Bytes>, u64)>,
}

impl<S: Storage> LyingStorage<S> {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: S, lie: Lie, seed: u64) -> Self {
        Self {
            inner,
            lie,
            seed,
            past: Mutex::default(),
        }
    }

    /// Returns the wrapped storage, which does not lie.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation; returns its number and a random number from 1 to 4.
    fn begin(&self) -> (u64, u64) {
        let mut past = self.past();
        past.operations += 1;
        let number = past.operations;
        (number, 1 + mix(self.seed ^ mix(number)) % 4)
    }

    /// Makes `stale` calls and one more after operation `number` see what is under `key` now.
    async fn remember(&self, key: &Key, number: u64, stale: u64) -> Result<()> {
        let now = self.inner.get_all(key).await?;
        // At least two, so that a call in between does not use it up.
        let until = number + 1 + stale;
        let mut past = self.past();
        match past.before.get_mut(key) {
            Some((_, fresh)) if *fresh >= number => *fresh = until,
            _ => {
                past.before.insert(key.clone(), (now, until));
            }
        }
        Ok(())
    }

    async fn racy_create(&self, key: &Key, bytes: Bytes, pauses: u64) -> Result<PutOutcome> {
        if self.inner.get_all(key).await?.is_some() {
            return Ok(PutOutcome::Exists);
        }
        for _ in 0..pauses {
            tokio::task::yield_now().await;
        }
        self.inner.put(key, bytes, PutMode::Overwrite).await
    }

    /// Lists what was there before, where that is not over yet at operation `number`.
    async fn stale_list(
        &self,
        prefix: Prefix,
        after: Option<Key>,
        number: u64,
    ) -> Result<BoxStream<'_, Result<ObjectMeta>>> {
        let listing = self.inner.list(&prefix, after.as_ref());
        let mut sizes: BTreeMap<_, _> = listing
            .map_ok(|object| (object.key, object.size))
            .try_collect()
            .await?;
        let past = self.past();
        let unseen = past.before.iter().filter(|(key, (_, fresh))| {
            *fresh >= number
                && prefix.covers(key)
                && after.as_ref().is_none_or(|after| *key > after)
        });
        for (key, (before, _)) in unseen {
            match before {
                Some(bytes) => sizes.insert(key.clone(), bytes.len() as u64),
                None => sizes.remove(key),
            };
        }
        let listed = sizes
            .into_iter()
            .map(|(key, size)| Ok(ObjectMeta { key, size }));
        Ok(stream::iter(listed).boxed())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for LyingStorage<S> {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        let (number, _) = self.begin();
        if self.lie == Lie::StaleReads
            && let Some((before, fresh)) = self.past().before.get(key)
            && *fresh >= number
        {
            return Ok(before.as_ref().map(|bytes| Object::cut(bytes, &range)));
        }
        self.inner.get(key, range).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        let (number, drawn) = self.begin();
        match (self.lie, mode) {
            (Lie::IgnoresCondition, _) => self.inner.put(key, bytes, PutMode::Overwrite).await,
            (Lie::Races, PutMode::Create) => self.racy_create(key, bytes, drawn).await,
            (Lie::NeverMatches, PutMode::Create) => Ok(PutOutcome::Exists),
            (Lie::ForgetsWrites, _) => Ok(PutOutcome::Written),
            (Lie::StaleReads | Lie::StaleLists, _) => {
                self.remember(key, number, drawn).await?;
                self.inner.put(key, bytes, mode).await
            }
            _ => self.inner.put(key, bytes, mode).await,
        }
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let (number, _) = self.begin();
        if self.lie == Lie::StaleLists {
            stream::once(self.stale_list(prefix.clone(), after.cloned(), number))
                .try_flatten()
                .boxed()
        } else {
            self.inner.list(prefix, after)
        }
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let (number, drawn) = self.begin();
        if matches!(self.lie, Lie::StaleReads | Lie::StaleLists) {
            self.remember(key, number, drawn).await?;
        }
        self.inner.delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
