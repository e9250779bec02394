//! How a local storage is opened.

use std::sync::Arc;

use mainstay_core::{Clock, SystemClock};

/// When a write to a [`LocalStorage`](super::LocalStorage) survives a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// When it is acknowledged; each write waits for the disk on its own.
    #[default]
    Strict,
    /// When it is acknowledged; writes that run at the same time wait for the disk together.
    ///
    /// The promise is that of [`Strict`](Self::Strict). The writes that come while others are on
    /// their way form a group, whose files are synced together and each of whose directories is
    /// synced once. It pays for many small objects from many callers at once. A caller that awaits
    /// each write before the next gains nothing, and two that write now and then wait for each
    /// other: for those prefer `Strict`. Objects over 1 MiB are written as with `Strict`, since
    /// their bytes and not the waiting take the time.
    ///
    /// On ext2 to ext4, XFS, Btrfs and F2FS, with Linux 5.12 or later, a group of 32 files or more
    /// shares one `syncfs`, which also waits for what other programs have written to the same file
    /// system; where those write a lot, prefer `Strict`. Elsewhere the files are synced side by
    /// side.
    Batch,
    /// When the operating system gets to it, typically within half a minute. Until then a crash of
    /// the machine, not of the process, loses acknowledged writes or leaves objects empty or torn.
    /// For scratch work.
    None,
}

/// How to open a [`LocalStorage`](super::LocalStorage).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LocalOptions {
    pub(super) durability: Durability,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) network_file_system: bool,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            clock: Arc::new(SystemClock::default()),
            network_file_system: false,
        }
    }
}

impl LocalOptions {
    /// Sets when writes survive a crash of the machine; [`Durability::Strict`] unless set.
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets the clock that tells how old the leavings of dead writers are; the system's unless set.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets whether the root may be on a network file system, on FUSE or on one that Mainstay does
    /// not know; not unless set.
    ///
    /// On those, opening first tries what the storage rests on: exclusive creation, links that
    /// replace nothing, renames that replace, syncs, and listings that show it all. Whether what is
    /// synced survives a crash of the server, and whether other machines see it at once, cannot be
    /// tried; with this option the caller vouches for both.
    #[must_use]
    pub fn with_network_file_system(mut self, accept: bool) -> Self {
        self.network_file_system = accept;
        self
    }
}
