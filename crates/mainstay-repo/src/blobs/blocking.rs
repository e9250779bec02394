//! Work that blocks or takes long, off the threads that run futures.

use mainstay_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;

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
    runtime()?.spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "work on blobs was interrupted").with_source(error)
    })
}
