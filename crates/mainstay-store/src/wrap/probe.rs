//! A storage that is probed before it is written to.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use mainstay_core::{Error, IdSource, Result};
use tokio::sync::OnceCell;

use crate::probe::{Broken, examine};
use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};

/// Probes a storage before the first `put` or `delete`, and refuses writes to one that lies.
///
/// Reads never wait for the probe and never cause it, so they cost nothing more and work with
/// credentials that may only read. One probe runs at a time; a passed one is remembered for the life
/// of the value, and so is a broken promise. Put it around the backend itself or around its
/// [`RetryStorage`](crate::RetryStorage), below any cache.
///
/// # Errors
/// Those of [`probe`](crate::probe()): with a broken promise every write is
/// [`ErrorKind::Unsupported`](mainstay_core::ErrorKind::Unsupported) and nothing is written. When
/// the probe failed for another reason the write has the kind of that failure, is not ambiguous,
/// and the next write probes again.
#[derive(Debug)]
pub struct ProbeStorage<S> {
    inner: S,
    ids: Arc<dyn IdSource>,
    verdict: OnceCell<Result<(), Broken>>,
}

impl<S: Storage> ProbeStorage<S> {
    /// Wraps `inner`; `ids` names the objects of probes.
    #[must_use]
    pub fn new(inner: S, ids: Arc<dyn IdSource>) -> Self {
        Self {
            inner,
            ids,
            verdict: OnceCell::new(),
        }
    }

    /// Returns when the storage may be written to.
    async fn permit(&self, operation: &'static str, key: &Key) -> Result<()> {
        let verdict = match self.verdict.get() {
            Some(verdict) => verdict,
            // Boxed, since it runs once and would make every write's future larger.
            None => Box::pin(self.probed())
                .await
                .map_err(|error| error.operation(operation).context("key", key))?,
        };
        match verdict {
            Ok(()) => Ok(()),
            Err(broken) => Err(broken.error(&self.inner).context("key", key)),
        }
    }

    async fn probed(&self) -> Result<&Result<(), Broken>> {
        let probe = || examine(&self.inner, &*self.ids);
        // A new error: whatever became of the probe, the write has not happened.
        self.verdict.get_or_try_init(probe).await.map_err(|error| {
            let message = "the storage could not be probed before the first write";
            Error::new(error.kind(), message).with_source(error)
        })
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for ProbeStorage<S> {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.inner.get(key, range).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.permit("put", key).await?;
        self.inner.put(key, bytes, mode).await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        self.inner.list(prefix, after)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.permit("delete", key).await?;
        self.inner.delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
