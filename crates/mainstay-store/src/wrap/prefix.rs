//! A part of a storage as a storage.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use mainstay_core::{Error, ErrorKind, Result};

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};

/// Shows the keys below a prefix as a storage of their own.
///
/// A key that would be longer than 512 bytes with the prefix is [`ErrorKind::Invalid`].
#[derive(Debug)]
pub struct PrefixStorage<S> {
    inner: S,
    prefix: Prefix,
}

impl<S: Storage> PrefixStorage<S> {
    /// Shows what is below `prefix` in `inner`.
    #[must_use]
    pub fn new(inner: S, prefix: Prefix) -> Self {
        Self { inner, prefix }
    }

    fn listed(&self, mut object: ObjectMeta) -> Result<ObjectMeta> {
        match object.key.inside(&self.prefix) {
            Some(inner) => {
                object.key = inner;
                Ok(object)
            }
            None => Err(Error::new(
                ErrorKind::Internal,
                "a storage listed a key that is not below the prefix",
            )
            .context("key", object.key)
            .context("prefix", &self.prefix)),
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for PrefixStorage<S> {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.inner.get(&key.below(&self.prefix)?, range).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.inner.put(&key.below(&self.prefix)?, bytes, mode).await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let bounds = self.prefix.join(prefix).and_then(|prefix| {
            Ok((
                prefix,
                after.map(|key| key.below(&self.prefix)).transpose()?,
            ))
        });
        match bounds {
            Ok((prefix, after)) => self
                .inner
                .list(&prefix, after.as_ref())
                .map(|listed| listed.and_then(|object| self.listed(object)))
                .boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.inner.delete(&key.below(&self.prefix)?).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;
    use crate::{MemoryStorage, StorageExt as _};

    #[tokio::test]
    async fn keys_are_stored_below_the_prefix_and_others_are_out_of_sight() {
        let memory = MemoryStorage::new();
        let key = |text: &str| Key::new(text).unwrap();
        memory
            .create(&key("other"), "".into())
            .await
            .map(drop)
            .unwrap();
        let part = PrefixStorage::new(&memory, Prefix::directory("team/a").unwrap());
        part.create(&key("log/1"), "one".into())
            .await
            .map(drop)
            .unwrap();
        assert_eq!(
            memory.get_all(&key("team/a/log/1")).await.unwrap().unwrap(),
            "one"
        );
        let listed: Vec<_> = part.list(&Prefix::all(), None).try_collect().await.unwrap();
        assert_eq!(
            listed,
            [ObjectMeta {
                key: key("log/1"),
                size: 3
            }]
        );
        assert!(part.get_all(&key("other")).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_key_too_long_with_the_prefix_is_invalid() {
        let part = PrefixStorage::new(MemoryStorage::new(), Prefix::directory("team").unwrap());
        let long = Key::new("a/".repeat(254) + "a").unwrap();
        let error = part.get_all(&long).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
