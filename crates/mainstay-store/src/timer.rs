//! Waiting, from an injected timer.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

/// Waits. Injected, so that tests wait in no time.
#[async_trait]
pub trait Timer: fmt::Debug + Send + Sync {
    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// Waits on the tokio clock.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TokioTimer;

#[async_trait]
impl Timer for TokioTimer {
    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Does not wait, but lets other tasks run; for tests.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NoWait;

#[async_trait]
impl Timer for NoWait {
    async fn sleep(&self, _duration: Duration) {
        tokio::task::yield_now().await;
    }
}
