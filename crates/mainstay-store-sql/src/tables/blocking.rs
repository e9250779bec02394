//! Work that blocks.

use mainstay_core::{Error, ErrorKind, Result};

/// Runs `work` where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => {
            let message = "the runtime is shutting down";
            Err(Error::new(ErrorKind::Cancelled, message).with_source(error))
        }
        Err(error) => {
            Err(Error::new(ErrorKind::Internal, "a storage task panicked").with_source(error))
        }
    }
}
