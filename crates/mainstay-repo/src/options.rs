//! How to open a repository.

use std::sync::Arc;

use mainstay_core::{Clock, IdSource, Metrics, NoMetrics, RandomIds, SystemClock};
use mainstay_store::{Timer, TokioTimer};

use crate::blobs::pack::{MAX_PACK, SALT_BYTES};

/// How many entries pass between checkpoints unless it is said.
pub(crate) const CHECKPOINT_EVERY: u64 = 256;

/// How large packs become unless it is said: enough to make requests few, little enough to keep several in
/// memory and to leave little to write at the end of a session (`benches/results/ingest.md`).
pub(crate) const PACK_BYTES: usize = 16 << 20;
/// Smaller ones would make requests many.
const LEAST_PACK_BYTES: usize = 1 << 20;

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
    /// How many bytes a pack has at most that sessions and collection write, from 1 MiB to 16 KiB less than 64 MiB; 16 MiB by
    /// default, and less where the storage takes no larger objects. Larger packs are fewer objects and
    /// requests; a session keeps up to five of them in memory, and a collection rewrites what is needed of
    /// one as a whole. Each process may use another size: it is no property of the repository.
    pub pack_bytes: usize,
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
            pack_bytes: PACK_BYTES,
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

    /// Sets how large packs become; what is out of bounds is taken as the bound.
    #[must_use]
    pub fn with_pack_bytes(mut self, bytes: usize) -> Self {
        self.pack_bytes = bytes;
        self
    }

    /// The size that packs may have, within its bounds.
    pub(crate) fn pack_limit(&self) -> usize {
        pack_limit(self.pack_bytes)
    }
}

/// A size of packs, within its bounds.
pub(crate) fn pack_limit(pack_bytes: usize) -> usize {
    pack_bytes.clamp(LEAST_PACK_BYTES, MAX_PACK - SALT_BYTES)
}
