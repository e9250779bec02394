//! Work that blocks or takes long, off the threads that run futures.

use mainstay_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tracing::{Instrument as _, Span};

/// Returns the runtime that calls this.
///
/// # Errors
/// [`ErrorKind::Unsupported`] outside a tokio runtime.
pub(crate) fn runtime() -> Result<Handle> {
    Handle::try_current().map_err(|error| {
        Error::new(ErrorKind::Unsupported, "blobs need a tokio runtime").with_source(error)
    })
}

/// Runs `work` on a thread that may block. It goes on when the future is dropped.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    start(work)?.wait().await
}

/// Starts `work` on a thread that may block, before anybody waits for it. It belongs to the current span.
pub(crate) fn start<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Started<T>> {
    let span = Span::current();
    runtime().map(|runtime| Started(runtime.spawn_blocking(move || span.in_scope(work))))
}

/// Work that [has been started](start).
#[derive(Debug)]
pub(crate) struct Started<T>(JoinHandle<T>);

impl<T> Started<T> {
    pub(crate) async fn wait(self) -> Result<T> {
        self.0.await.map_err(interrupted)
    }
}

/// Runs a future that makes headway also while nobody polls it. It ends when the result is dropped, and
/// belongs to the current span.
pub(crate) fn ahead<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> impl Future<Output = Result<T>> + Send + 'static {
    let started = runtime().map(|runtime| {
        let mut tasks = JoinSet::new();
        tasks.spawn_on(work.in_current_span(), &runtime);
        tasks
    });
    async move {
        let mut tasks = started?;
        match tasks.join_next().await {
            Some(ended) => ended.map_err(interrupted)?,
            None => Err(Error::new(ErrorKind::Internal, "a task did not start")),
        }
    }
}

fn interrupted(error: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "work on blobs was interrupted").with_source(error)
}
