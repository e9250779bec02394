//! What to keep, and how fast to go.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::Bounds;

/// How to collect.
///
/// What live refs name is always kept. To keep what they may not name for long, make a
/// [hold](crate::Repo::hold).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CollectOptions {
    /// Every state that the refs had in this time stays readable; [`Duration::MAX`] keeps all of
    /// history. 90 days by default.
    pub keep_history: Duration,
    /// So do the states of at least so many log entries before the head; 0 by default.
    pub keep_entries: u64,
    /// How long a pack waits before it is condemned, and again before it is deleted, and a condemned
    /// checkpoint before it is deleted; a day by default. It gives sessions time to commit what they stored, and readers to finish. Nothing
    /// relies on it: a session that takes longer is told to store again what was condemned.
    pub grace: Duration,
    /// A pack is written again when more than so many percent of it are of no use; 30 by default.
    pub max_unused_percent: u8,
    /// The most bytes that one run writes again; 4 GiB by default.
    pub max_repack_bytes: u64,
    /// Packs are also written again to bring together what is read together, as long as each request which
    /// that saves costs no more than so many bytes written again; 0, which is the default, does not. The
    /// requests are those of reading once what live refs reach, the newest of much the same content only; those of
    /// what shares some content with newer ones count a quarter. What they share comes to lie as the newest
    /// reads it, so older versions may take more than before.
    /// 1 MiB is about what a request to a distant storage takes the time of.
    #[serde(default)]
    pub defragment_bytes_per_request: u64,
    /// How far apart checkpoints may be that are older than the newest two, in percent of their age in
    /// log entries; 12 by default, which keeps some 50 of a log of 100,000 entries. A state of the past
    /// is folded from the next older one. 0 keeps all; a plan that was stored without this member has it,
    /// for it was made before checkpoints were collected and names none.
    #[serde(default)]
    pub checkpoint_spacing_percent: u8,
    #[serde(skip)]
    pub(super) bounds: Bounds,
}

impl Default for CollectOptions {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            keep_history: DAY * 90,
            keep_entries: 0,
            grace: DAY,
            max_unused_percent: 30,
            max_repack_bytes: 4 << 30,
            defragment_bytes_per_request: 0,
            checkpoint_spacing_percent: 12,
            bounds: Bounds::default(),
        }
    }
}

impl CollectOptions {
    /// Sets how much history stays readable.
    #[must_use]
    pub fn with_keep_history(mut self, keep_history: Duration) -> Self {
        self.keep_history = keep_history;
        self
    }

    /// Sets how many entries' states stay readable at least.
    #[must_use]
    pub fn with_keep_entries(mut self, keep_entries: u64) -> Self {
        self.keep_entries = keep_entries;
        self
    }

    /// Sets how long packs wait.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets from which unused share on packs are written again, in percent.
    #[must_use]
    pub fn with_max_unused_percent(mut self, max_unused_percent: u8) -> Self {
        self.max_unused_percent = max_unused_percent;
        self
    }

    /// Sets how many bytes may be written again for each request that it saves.
    #[must_use]
    pub fn with_defragment_bytes_per_request(mut self, bytes: u64) -> Self {
        self.defragment_bytes_per_request = bytes;
        self
    }

    /// Sets how far apart older checkpoints may be, in percent of their age.
    #[must_use]
    pub fn with_checkpoint_spacing_percent(mut self, percent: u8) -> Self {
        self.checkpoint_spacing_percent = percent;
        self
    }

    /// Sets how much one run writes again.
    #[must_use]
    pub fn with_max_repack_bytes(mut self, max_repack_bytes: u64) -> Self {
        self.max_repack_bytes = max_repack_bytes;
        self
    }
}
