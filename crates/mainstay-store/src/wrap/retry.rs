//! Trying again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use mainstay_core::{Error, ErrorKind, Result};

use crate::mix::mix;
use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage, Timer,
};

/// How often and how patiently a [`RetryStorage`] tries.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetryOptions {
    attempts: u32,
    first_delay: Duration,
    max_delay: Duration,
    seed: Option<u64>,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 6,
            first_delay: Duration::from_millis(50),
            max_delay: Duration::from_secs(5),
            seed: None,
        }
    }
}

impl RetryOptions {
    /// Sets how often a call is tried in all, at least once; 6 unless set.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the delays: up to `first` before the second attempt, twice as much before each further
    /// one, never more than `max`; 50 ms and 5 s unless set.
    #[must_use]
    pub fn with_delays(mut self, first: Duration, max: Duration) -> Self {
        self.first_delay = first;
        self.max_delay = max;
        self
    }

    /// Makes the jitter reproducible; drawn from the operating system unless set.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Returns the longest delay after so many failures.
    fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.first_delay
            .saturating_mul(1 << doublings)
            .min(self.max_delay)
    }
}

/// Tries calls again that fail with a [retryable](Error::is_retryable) error, after a delay that
/// doubles and of which a random half is waited, so that clients do not come back all at once.
///
/// After an ambiguous failure of a [`PutMode::Create`] the key is read back: the same bytes are
/// reported as [`PutOutcome::Written`], other bytes as [`PutOutcome::Exists`], and an absent key
/// is created anew. Callers that must tell apart writers of the same bytes put something unique
/// in them.
///
/// A listing that fails goes on behind the last key it returned. The error returned in the end is
/// that of the last attempt, [ambiguous](Error::is_ambiguous) when any attempt was.
#[derive(Debug)]
pub struct RetryStorage<S> {
    inner: S,
    timer: Arc<dyn Timer>,
    options: RetryOptions,
    seed: u64,
    waits: AtomicU64,
}

#[derive(Debug, Default)]
struct Failures {
    count: u32,
    ambiguous: bool,
}

impl Failures {
    fn mark(&self, error: Error) -> Error {
        if self.ambiguous {
            error.ambiguous()
        } else {
            error
        }
    }
}

impl<S: Storage> RetryStorage<S> {
    /// Wraps `inner`; waits on `timer`.
    #[must_use]
    pub fn new(inner: S, timer: Arc<dyn Timer>, options: RetryOptions) -> Self {
        // Jitter needs to differ between processes, not to be unpredictable.
        let seed = options
            .seed
            .unwrap_or_else(|| getrandom::u64().unwrap_or(0));
        Self {
            inner,
            timer,
            options,
            seed,
            waits: AtomicU64::new(0),
        }
    }

    /// Waits before the next attempt, or returns the error when there is to be none.
    async fn recover(&self, failures: &mut Failures, error: Error) -> Result<()> {
        failures.count += 1;
        failures.ambiguous |= error.is_ambiguous();
        if !error.is_retryable() || failures.count >= self.options.attempts {
            return Err(failures.mark(error));
        }
        let delay = self.jittered(self.options.ceiling(failures.count));
        tracing::debug!(%error, attempt = failures.count, ?delay, "trying again");
        self.timer.sleep(delay).await;
        Ok(())
    }

    /// Draws a duration between half of `ceiling` and all of it.
    fn jittered(&self, ceiling: Duration) -> Duration {
        let ceiling = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        let half = ceiling / 2;
        let drawn = mix(self.seed ^ mix(self.waits.fetch_add(1, Ordering::Relaxed)));
        Duration::from_nanos(ceiling - drawn.checked_rem(half).unwrap_or(0))
    }

    async fn retried<T, F>(&self, mut call: impl FnMut() -> F + Send) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let mut failures = Failures::default();
        loop {
            match call().await {
                Ok(value) => return Ok(value),
                Err(error) => self.recover(&mut failures, error).await?,
            }
        }
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<PutOutcome> {
        let mut failures = Failures::default();
        loop {
            let error = match self.inner.put(key, bytes.clone(), PutMode::Create).await {
                Ok(PutOutcome::Exists) if failures.ambiguous => None,
                Ok(outcome) => return Ok(outcome),
                Err(error) => Some(error),
            };
            failures.ambiguous |= error.as_ref().is_some_and(Error::is_ambiguous);
            if failures.ambiguous {
                match self.get(key, ByteRange::Full).await {
                    Ok(Some(found)) if found.bytes == bytes => return Ok(PutOutcome::Written),
                    Ok(Some(_)) => return Ok(PutOutcome::Exists),
                    Ok(None) => {}
                    Err(unread) => return Err(failures.mark(error.unwrap_or(unread))),
                }
            }
            // It existed and is gone again: the next attempt tells.
            let error = error.unwrap_or_else(|| {
                Error::new(ErrorKind::Unavailable, "the object was deleted meanwhile")
                    .operation("put")
                    .context("key", key)
            });
            self.recover(&mut failures, error).await?;
        }
    }

    async fn next<'a>(
        &'a self,
        mut listing: Listing<'a>,
    ) -> Result<Option<(ObjectMeta, Listing<'a>)>> {
        loop {
            let stream = listing
                .stream
                .get_or_insert_with(|| self.inner.list(&listing.prefix, listing.after.as_ref()));
            match stream.next().await {
                None => return Ok(None),
                Some(Ok(object)) => {
                    listing.after = Some(object.key.clone());
                    listing.failures = Failures::default();
                    return Ok(Some((object, listing)));
                }
                Some(Err(error)) => {
                    listing.stream = None;
                    self.recover(&mut listing.failures, error).await?;
                }
            }
        }
    }
}

/// A listing under way.
struct Listing<'a> {
    prefix: Prefix,
    after: Option<Key>,
    stream: Option<BoxStream<'a, Result<ObjectMeta>>>,
    failures: Failures,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for RetryStorage<S> {
    #[tracing::instrument(level = "debug", name = "retry_get", skip_all, fields(%key), err(level = "debug"))]
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.retried(|| self.inner.get(key, range.clone())).await
    }

    #[tracing::instrument(level = "debug", name = "retry_put", skip_all, fields(%key), err(level = "debug"))]
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        match mode {
            PutMode::Create => self.create(key, bytes).await,
            PutMode::Overwrite => {
                self.retried(|| self.inner.put(key, bytes.clone(), mode))
                    .await
            }
        }
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let listing = Listing {
            prefix: prefix.clone(),
            after: after.cloned(),
            stream: None,
            failures: Failures::default(),
        };
        stream::try_unfold(listing, |listing| self.next(listing)).boxed()
    }

    #[tracing::instrument(level = "debug", name = "retry_delete", skip_all, fields(%key), err(level = "debug"))]
    async fn delete(&self, key: &Key) -> Result<()> {
        self.retried(|| self.inner.delete(key)).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
