//! Remembering objects that never change.

mod lru;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::Result;

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};
use lru::Lru;

/// Keeps whole objects below given prefixes in memory and answers from there, ranges included.
///
/// The caller vouches that objects below these prefixes never change once created. An object is
/// kept when it was read or created whole through this value; a part read of an object that is not
/// kept fetches only that part. Absence is never remembered. The objects used last stay, up to a
/// bound in bytes.
///
/// # Consistency
/// Deleting or overwriting through this value forgets the object. An object that somebody else
/// deletes is still found here until it is displaced.
#[derive(Debug)]
pub struct CacheStorage<S> {
    inner: S,
    immutable: Vec<Prefix>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    objects: Lru,
    /// Counts forgotten objects: what was fetched before one of them went must not be kept after.
    forgotten: u64,
}

impl<S: Storage> CacheStorage<S> {
    /// Wraps `inner`; keeps objects below the prefixes `immutable`, at most `max_bytes` bytes in
    /// all, keys included. Objects greater than that are not kept.
    #[must_use]
    pub fn new(inner: S, immutable: Vec<Prefix>, max_bytes: u64) -> Self {
        let objects = Lru::new(max_bytes);
        let kept = Mutex::new(Kept {
            objects,
            forgotten: 0,
        });
        Self {
            inner,
            immutable,
            kept,
        }
    }

    /// Returns how many bytes of objects and keys are kept now.
    pub fn kept_bytes(&self) -> u64 {
        self.kept().objects.bytes()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_immutable(&self, key: &Key) -> bool {
        self.immutable.iter().any(|prefix| prefix.covers(key))
    }

    /// Keeps an object that was there when `forgotten` had this value.
    fn keep(&self, key: &Key, bytes: Bytes, forgotten: u64) {
        let mut kept = self.kept();
        if kept.forgotten == forgotten {
            kept.objects.insert(key.clone(), bytes);
        }
    }

    fn forget(&self, key: &Key) {
        let mut kept = self.kept();
        kept.forgotten += 1;
        kept.objects.remove(key);
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for CacheStorage<S> {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        if !self.is_immutable(key) {
            return self.inner.get(key, range).await;
        }
        let (found, forgotten) = {
            let mut kept = self.kept();
            (kept.objects.get(key), kept.forgotten)
        };
        if let Some(bytes) = found {
            return Ok(Some(Object::cut(&bytes, &range)));
        }
        let object = self.inner.get(key, range).await?;
        if let Some(object) = &object
            && object.bytes.len() as u64 == object.size
        {
            self.keep(key, object.bytes.clone(), forgotten);
        }
        Ok(object)
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        if !self.is_immutable(key) {
            return self.inner.put(key, bytes, mode).await;
        }
        let forgotten = self.kept().forgotten;
        let outcome = self.inner.put(key, bytes.clone(), mode).await;
        match (&outcome, mode) {
            (Ok(PutOutcome::Written), PutMode::Create) => self.keep(key, bytes, forgotten),
            (Ok(PutOutcome::Exists), _) => {}
            _ => self.forget(key),
        }
        outcome
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        self.inner.list(prefix, after)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let deleted = self.inner.delete(key).await;
        if self.is_immutable(key) {
            self.forget(key);
        }
        deleted
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

#[cfg(test)]
mod tests;
