//! What the operating system and the file system can do for a storage.

use std::io;
use std::path::Path;

use super::file_system::{FileSystem, Kind};
use super::kernel;

/// Faster ways that not every host has; the storage means the same without them.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is had or not on its own"
)]
pub(super) struct Host {
    pub(super) file_system: FileSystem,
    /// A whole path can be opened at once without following links.
    pub(super) opens_beneath: bool,
    /// The same, without blocking, if it is in the cache.
    pub(super) opens_cached: bool,
    /// A file can be written before it has a name.
    pub(super) has_anonymous_files: bool,
    /// One call makes everything on the file system durable and reports errors.
    pub(super) syncs_at_once: bool,
    /// Large files can be written past the cache.
    pub(super) writes_direct: bool,
    /// A lock that is free tells that no process anywhere holds it.
    pub(super) locks_tell_life: bool,
}

impl Host {
    /// Looks at the host of a root that is yet to be opened or made.
    pub(super) fn around(root: &Path) -> io::Result<Self> {
        let file_system = FileSystem::around(root)?;
        Ok(Self {
            file_system,
            opens_beneath: kernel::opens_beneath(),
            // What a remote file system has in its cache may be out of date.
            opens_cached: kernel::opens_cached() && !file_system.is_foreign(),
            has_anonymous_files: true,
            // Linux reports errors of syncfs since 5.8, and opens from the cache since 5.12.
            syncs_at_once: kernel::opens_cached() && file_system.kind == Kind::Journaled,
            writes_direct: file_system.kind == Kind::Journaled,
            locks_tell_life: !file_system.is_foreign(),
        })
    }
}
