//! The time of what is replicated.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mainstay_core::{Clock, Timestamp};

/// Tells the time at which what is being replicated was committed first, or now if that is earlier: a
/// clock that is ahead in the source does not run on in the target.
#[derive(Debug)]
pub(super) struct OriginalTime {
    now: Arc<dyn Clock>,
    original: AtomicI64,
}

impl OriginalTime {
    pub(super) fn new(now: Arc<dyn Clock>) -> Self {
        Self {
            now,
            original: AtomicI64::new(i64::MAX),
        }
    }

    /// Sets the time of what is committed next; without one it is now.
    pub(super) fn set(&self, original: Option<Timestamp>) {
        let micros = original.map_or(i64::MAX, Timestamp::as_unix_micros);
        self.original.store(micros, Ordering::SeqCst);
    }
}

impl Clock for OriginalTime {
    fn now(&self) -> Timestamp {
        let original = Timestamp::from_unix_micros(self.original.load(Ordering::SeqCst));
        self.now.now().min(original)
    }
}
