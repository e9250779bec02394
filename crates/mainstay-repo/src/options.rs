//! How to open a repository.

use std::sync::Arc;

use mainstay_core::{Clock, IdSource, Metrics, NoMetrics, RandomIds, SystemClock};
use mainstay_store::{Timer, TokioTimer};

/// How many entries pass between checkpoints unless it is said.
pub(crate) const CHECKPOINT_EVERY: u64 = 256;

/// What a repository takes from outside, and its limits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RepoOptions {
    /// Tells the time of commits.
    pub clock: Arc<dyn Clock>,
    /// Makes write ids.
    pub ids: Arc<dyn IdSource>,
    /// Waits between attempts.
    pub timer: Arc<dyn Timer>,
    /// Is told of commits, and of bytes stored, read, collected and replicated; nobody by default.
    /// `docs/guides/observability.md` lists what.
    pub metrics: Arc<dyn Metrics>,
    /// How many log entries pass between checkpoints; at least 1. They are written in the background;
    /// see [`Repo::settle`](crate::Repo::settle).
    pub checkpoint_every: u64,
    /// How often a commit tries in all while others come first; at least 1.
    pub max_commit_attempts: u32,
}

impl Default for RepoOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::default()),
            ids: Arc::new(RandomIds::default()),
            timer: Arc::new(TokioTimer::default()),
            metrics: Arc::new(NoMetrics::default()),
            checkpoint_every: CHECKPOINT_EVERY,
            // Sixteen writers that never pause exhaust them once in 10^7 commits.
            max_commit_attempts: 256,
        }
    }
}

impl RepoOptions {
    /// Sets the clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the source of write ids.
    #[must_use]
    pub fn with_ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// Sets the timer.
    #[must_use]
    pub fn with_timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = timer;
        self
    }

    /// Sets who is told of what is done.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Arc<dyn Metrics>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Sets how many log entries pass between checkpoints; 0 is taken as 1.
    #[must_use]
    pub fn with_checkpoint_every(mut self, entries: u64) -> Self {
        self.checkpoint_every = entries.max(1);
        self
    }

    /// Sets how often a commit tries in all while others come first; 0 is taken as 1.
    #[must_use]
    pub fn with_max_commit_attempts(mut self, attempts: u32) -> Self {
        self.max_commit_attempts = attempts.max(1);
        self
    }
}
