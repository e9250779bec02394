//! A storage that refuses to write.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};

/// Reads from a storage and refuses every `put` and `delete` with
/// [`ErrorKind::PermissionDenied`], whatever is there.
#[derive(Debug)]
pub struct ReadOnlyStorage<S> {
    inner: S,
}

impl<S: Storage> ReadOnlyStorage<S> {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

fn refused(operation: &'static str, key: &Key) -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        "the storage is opened read-only",
    )
    .operation(operation)
    .context("key", key)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for ReadOnlyStorage<S> {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.inner.get(key, range).await
    }

    async fn put(&self, key: &Key, _bytes: Bytes, _mode: PutMode) -> Result<PutOutcome> {
        Err(refused("put", key))
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        self.inner.list(prefix, after)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        Err(refused("delete", key))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            read_only: true,
            ..self.inner.capabilities()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, StorageExt as _};

    #[tokio::test]
    async fn reads_pass_and_writes_are_refused_without_effect() {
        let memory = MemoryStorage::new();
        let key = Key::new("a").unwrap();
        memory.create(&key, "1".into()).await.map(drop).unwrap();
        let storage = ReadOnlyStorage::new(&memory);
        assert!(storage.capabilities().read_only);
        for mode in [PutMode::Create, PutMode::Overwrite] {
            let error = storage.put(&key, "2".into(), mode).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        }
        let error = storage.delete(&key).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "delete: the storage is opened read-only (key: a)"
        );
        assert_eq!(storage.get_all(&key).await.unwrap().unwrap(), "1");
    }
}
