//! Trying to open again: the one thing that is not done through a storage that tries again.

use std::time::Duration;

use mainstay_core::Result;
use mainstay_store::Timer;

const ATTEMPTS: u32 = 5;
const FIRST_DELAY: Duration = Duration::from_millis(50);

/// Calls `open` until it succeeds or fails for good, at most [`ATTEMPTS`] times, waiting twice as
/// long each time.
pub(crate) async fn patiently<T>(
    timer: &dyn Timer,
    open: impl AsyncFn() -> Result<T>,
) -> Result<T> {
    let mut delay = FIRST_DELAY;
    for _ in 1..ATTEMPTS {
        match open().await {
            Err(error) if error.is_retryable() => {
                tracing::debug!(%error, ?delay, "trying to open again");
                timer.sleep(delay).await;
                delay *= 2;
            }
            result => return result,
        }
    }
    open().await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use mainstay_core::{Error, ErrorKind};
    use mainstay_store::NoWait;

    use super::*;

    async fn opened(kind: ErrorKind, failures: u32) -> (bool, u32) {
        let calls = AtomicU32::new(0);
        let open = async || {
            if calls.fetch_add(1, Ordering::Relaxed) < failures {
                return Err(Error::new(kind, "not yet"));
            }
            Ok(())
        };
        let result = patiently(&NoWait::default(), open).await;
        (result.is_ok(), calls.into_inner())
    }

    #[tokio::test]
    async fn only_what_may_pass_is_tried_again_and_not_for_ever() {
        assert_eq!(opened(ErrorKind::Unavailable, 4).await, (true, 5));
        assert_eq!(opened(ErrorKind::Unavailable, 9).await, (false, 5));
        assert_eq!(opened(ErrorKind::Corrupt, 1).await, (false, 1));
    }
}
