//! How much one run does.

/// The most packs of one run: what it says of them goes into one log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// So many are condemned for their own sake, and so many deleted.
    pub(super) refs: usize,
    /// So many wait, of which the value of the run's ref tells; others begin to once there is room.
    pub(super) waiting: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            refs: 10_000,
            waiting: 50_000,
        }
    }
}
