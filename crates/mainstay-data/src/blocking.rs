//! Work that blocks or computes for long, off the threads that run tasks.

use mainstay_core::{Error, ErrorKind, Result};

/// Runs `work` on a thread that may block.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => {
            Err(Error::new(ErrorKind::Internal, "a worker panicked").with_source(error))
        }
        Err(error) => {
            Err(Error::new(ErrorKind::Cancelled, "the runtime shut down").with_source(error))
        }
    }
}
