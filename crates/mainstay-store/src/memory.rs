//! A storage in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use mainstay_core::Result;

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};

/// Keeps objects in memory; gone with the value. For tests, examples and scratch work.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    objects: RwLock<BTreeMap<Key, Bytes>>,
}

impl MemoryStorage {
    /// Creates an empty storage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for MemoryStorage {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        Ok(objects.get(key).map(|bytes| Object::cut(bytes, &range)))
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        let mut objects = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        if mode == PutMode::Create && objects.contains_key(key) {
            return Ok(PutOutcome::Exists);
        }
        objects.insert(key.clone(), bytes);
        Ok(PutOutcome::Written)
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let objects = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        // What is below a prefix comes all together, behind the prefix itself.
        let from = match after.map(Key::as_str) {
            Some(after) if after >= prefix.as_str() => Bound::Excluded(after),
            _ => Bound::Included(prefix.as_str()),
        };
        let listed: Vec<_> = objects
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| prefix.covers(key))
            .map(|(key, bytes)| {
                Ok(ObjectMeta {
                    key: key.clone(),
                    size: bytes.len() as u64,
                })
            })
            .collect();
        stream::iter(listed).boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.objects
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "memory",
            durable: false,
            shared: false,
            read_only: false,
            max_object_bytes: u64::MAX,
        }
    }
}
