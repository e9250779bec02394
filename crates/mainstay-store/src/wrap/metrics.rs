//! Telling whoever watches what a storage does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Attribute, Clock, Instrument, Metrics, Result, Timestamp};
use tracing::{Instrument as _, Span, debug_span, field};

use crate::{
    ByteRange, Capabilities, Key, Object, ObjectMeta, Prefix, PutMode, PutOutcome, Storage,
};

static OPERATIONS: Instrument = Instrument::new(
    "mainstay.storage.operations",
    "{operation}",
    "Calls of the storage that have ended",
);
static DURATION: Instrument = Instrument::new(
    "mainstay.storage.operation.duration",
    "s",
    "How long calls of the storage took; of listings, until the last key",
);
static IO: Instrument = Instrument::new(
    "mainstay.storage.io",
    "By",
    "Bytes of objects read from and written to the storage",
);

/// Tells [`Metrics`] of each call: how it ended, how long it took, how many bytes moved.
///
/// | instrument | unit | attributes |
/// |---|---|---|
/// | `mainstay.storage.operations` | calls | `mainstay.storage.backend`, `mainstay.storage.operation`; of failed ones `error.type`, the kind |
/// | `mainstay.storage.operation.duration` | seconds | the same |
/// | `mainstay.storage.io` | bytes | `mainstay.storage.backend`, `mainstay.storage.io.direction` = `read` or `write` |
///
/// An operation is `get`, `create`, `overwrite`, `list` or `delete`. Put it inside of a
/// [`RetryStorage`](crate::RetryStorage) to see every attempt, around it to see what callers see. Each
/// call is also a `tracing` span with its key and bytes, a listing one with how many objects there are. A
/// call whose future is dropped is not counted,
/// nor is a listing that is not read to its end.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use mainstay_core::{Attribute, Instrument, Metrics, SystemClock};
/// use mainstay_store::{Key, MemoryStorage, MetricsStorage, StorageExt};
///
/// #[derive(Debug, Default)]
/// struct Lines(Mutex<Vec<String>>);
///
/// impl Metrics for Lines {
///     fn add(&self, counter: &'static Instrument, amount: u64, attributes: &[Attribute]) {
///         let line = format!("{} {attributes:?} {amount} {}", counter.name, counter.unit);
///         self.0.lock().unwrap().push(line);
///     }
///
///     fn record(&self, _: &'static Instrument, _: f64, _: &[Attribute]) {}
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let lines = Arc::new(Lines::default());
/// let clock = Arc::new(SystemClock::default());
/// let storage = MetricsStorage::new(MemoryStorage::new(), Arc::clone(&lines) as _, clock);
/// let _created = storage.create(&Key::new("log/1")?, "first".into()).await?;
/// assert_eq!(
///     lines.0.lock().unwrap().last().unwrap(),
///     r#"mainstay.storage.io [("mainstay.storage.backend", "memory"), ("mainstay.storage.io.direction", "write")] 5 By"#
/// );
/// # Ok::<(), mainstay_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct MetricsStorage<S> {
    inner: S,
    metrics: Arc<dyn Metrics>,
    clock: Arc<dyn Clock>,
    backend: Attribute,
}

impl<S: Storage> MetricsStorage<S> {
    /// Wraps `inner`; durations are differences of `clock`.
    #[must_use]
    pub fn new(inner: S, metrics: Arc<dyn Metrics>, clock: Arc<dyn Clock>) -> Self {
        let backend = inner.capabilities().backend;
        Self {
            inner,
            metrics,
            clock,
            backend: ("mainstay.storage.backend", backend),
        }
    }

    /// Tells of a call that began at `began` and has ended.
    fn ended<T>(&self, operation: &'static str, began: Timestamp, result: &Result<T>) {
        let took = self.clock.now().saturating_since(began);
        let error = result.as_ref().err();
        self.told(operation, took, error.map(|error| error.kind().as_str()));
    }

    fn told(&self, operation: &'static str, took: Duration, error: Option<&'static str>) {
        let operation = ("mainstay.storage.operation", operation);
        let attributes = [
            self.backend,
            operation,
            ("error.type", error.unwrap_or_default()),
        ];
        // Without an error there is no type of one.
        let attributes = match error {
            Some(_) => &attributes[..],
            None => &attributes[..2],
        };
        self.metrics.add(&OPERATIONS, 1, attributes);
        self.metrics
            .record(&DURATION, took.as_secs_f64(), attributes);
    }

    fn moved(&self, direction: &'static str, bytes: usize) {
        Span::current().record("bytes", bytes);
        let direction = ("mainstay.storage.io.direction", direction);
        let attributes = [self.backend, direction];
        self.metrics.add(&IO, bytes as u64, &attributes);
    }
}

/// A listing under way.
struct Listing<'a> {
    stream: BoxStream<'a, Result<ObjectMeta>>,
    span: Span,
    /// How many have been listed.
    objects: u64,
    /// `None` once its end has been told.
    began: Option<Timestamp>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: Storage> Storage for MetricsStorage<S> {
    #[tracing::instrument(level = "debug", name = "storage_get", skip_all, fields(%key, bytes = field::Empty), err(level = "debug"))]
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        let began = self.clock.now();
        let result = self.inner.get(key, range).await;
        self.ended("get", began, &result);
        if let Ok(Some(object)) = &result {
            self.moved("read", object.bytes.len());
        }
        result
    }

    #[tracing::instrument(level = "debug", name = "storage_put", skip_all, fields(%key, ?mode, bytes = field::Empty), err(level = "debug"))]
    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        let (began, len) = (self.clock.now(), bytes.len());
        let result = self.inner.put(key, bytes, mode).await;
        let operation = match mode {
            PutMode::Create => "create",
            PutMode::Overwrite => "overwrite",
        };
        self.ended(operation, began, &result);
        if let Ok(PutOutcome::Written) = result {
            self.moved("write", len);
        }
        result
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let span = debug_span!("storage_list", %prefix, objects = field::Empty);
        let listing = Listing {
            stream: span.in_scope(|| self.inner.list(prefix, after)),
            span,
            objects: 0,
            began: Some(self.clock.now()),
        };
        futures::stream::unfold(listing, move |mut listing| async move {
            let span = listing.span.clone();
            let next = listing.stream.next().instrument(span).await;
            if let Some(Ok(_)) = next {
                listing.objects += 1;
            } else {
                listing.span.record("objects", listing.objects);
            }
            if next.as_ref().is_none_or(Result::is_err)
                && let Some(began) = listing.began.take()
            {
                let result = next.as_ref().and_then(|next| next.as_ref().err());
                let took = self.clock.now().saturating_since(began);
                self.told("list", took, result.map(|error| error.kind().as_str()));
            }
            next.map(|next| (next, listing))
        })
        .boxed()
    }

    #[tracing::instrument(level = "debug", name = "storage_delete", skip_all, fields(%key), err(level = "debug"))]
    async fn delete(&self, key: &Key) -> Result<()> {
        let began = self.clock.now();
        let result = self.inner.delete(key).await;
        self.ended("delete", began, &result);
        result
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
