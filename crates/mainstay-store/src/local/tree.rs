//! An open directory tree.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstay_core::{Error, ErrorKind, Result};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::batch::Batch;
use super::beneath::Beneath;
use super::directory::{self, Directory};
use super::file_system::{FileSystem, Kind};
use super::host::Host;
use super::options::{Durability, LocalOptions};
use super::probe;
use super::read::QuickReads;
use super::staging::Staging;
use super::sync::Disk;
use crate::Key;

/// The directory tree; what works on it is in the modules around and blocks.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) path: PathBuf,
    pub(super) file_system: FileSystem,
    pub(super) beneath: Beneath,
    pub(super) staging: Staging,
    pub(super) durability: Durability,
    pub(super) quick_reads: QuickReads,
    pub(super) disk: Disk,
    pub(super) batch: Batch,
    /// How many files are worked on at a time, so that the process does not run out of them.
    pub(super) most_files: usize,
    /// The directories whose names, up to the root, this process has seen safe on the disk.
    /// Directories are never removed, so they stay so.
    settled: Mutex<BTreeSet<String>>,
}

impl Tree {
    pub(super) fn open(path: &Path, options: &LocalOptions) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let host = Host::around(&path)?;
        Self::open_on(path, options, &host)
    }

    pub(super) fn open_on(path: PathBuf, options: &LocalOptions, host: &Host) -> Result<Self> {
        let durability = options.durability;
        let file_system = host.file_system;
        if file_system.is_foreign() && !options.network_file_system {
            return Err(refused(file_system));
        }
        directory::create_with_ancestors(&path, durability)?;
        let root = Directory::open(&path)?;
        let staging = Staging::open(&root, host, durability)?;
        if file_system.is_foreign() {
            let probed = probe::promises(&staging.directory, &staging.fresh_name());
            probed.map_err(|error| error.context("file system", file_system.name))?;
        }
        staging.sweep(options.clock.now())?;
        let at_once = host.syncs_at_once.then(|| root.try_clone()).transpose()?;
        Ok(Self {
            path,
            file_system,
            beneath: Beneath::new(root, host.opens_beneath),
            staging,
            durability,
            quick_reads: QuickReads::new(host.opens_cached),
            disk: Disk::new(at_once),
            batch: Batch::default(),
            most_files: most_files(),
            settled: Mutex::default(),
        })
    }

    /// Reports whether what is acknowledged survives a crash of the machine.
    pub(super) fn is_durable(&self) -> bool {
        self.durability != Durability::None && self.file_system.kind != Kind::Memory
    }

    /// Reports whether the names of a directory, up to the root, need no sync of this process.
    pub(super) fn is_settled(&self, path: &str) -> bool {
        self.durability == Durability::None || path.is_empty() || self.settled().contains(path)
    }

    pub(super) fn settle(&self, paths: &BTreeSet<String>) {
        self.settled().extend(paths.iter().cloned());
    }

    pub(super) fn settled(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(file_system: FileSystem) -> Error {
    let message = if file_system.kind == Kind::Unknown {
        "the root is on a file system that Mainstay does not know; it must be accepted explicitly"
    } else {
        "the root is on a network file system; it must be accepted explicitly"
    };
    Error::new(ErrorKind::Unsupported, message).context("file system", file_system.name)
}

/// A quarter of the files that the process may open, since a change may need three at a time.
fn most_files() -> usize {
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(allowed / 4)
        .unwrap_or(usize::MAX)
        .clamp(8, 512)
}

/// Names the key in an error of the operating system.
pub(super) fn failure(error: io::Error, key: &Key) -> Error {
    let told = match (Errno::from_io_error(&error), error.kind()) {
        (Some(Errno::NOTDIR | Errno::ISDIR | Errno::LOOP), _) => {
            return Error::corrupt(key, "something else is in the object's place")
                .with_source(error);
        }
        (Some(Errno::XDEV), _) => (ErrorKind::Unsupported, "the storage spans file systems"),
        (_, io::ErrorKind::Unsupported) => (
            ErrorKind::Unsupported,
            "the file system cannot hold objects",
        ),
        // Of the object itself both are outcomes; here it is a staged file, a directory or the root.
        (_, io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => (
            ErrorKind::Unavailable,
            "the storage's own files were changed from outside",
        ),
        _ => return Error::from(error).context("key", key),
    };
    Error::new(told.0, told.1)
        .context("key", key)
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_name_the_key_and_tell_what_to_do() {
        let key = Key::new("pack/1").unwrap();
        for (errno, kind) in [
            (Errno::NOSPC, ErrorKind::Unavailable),
            (Errno::DQUOT, ErrorKind::Unavailable),
            (Errno::IO, ErrorKind::Unavailable),
            (Errno::MFILE, ErrorKind::Unavailable),
            (Errno::NOENT, ErrorKind::Unavailable),
            (Errno::ACCESS, ErrorKind::PermissionDenied),
            (Errno::ROFS, ErrorKind::PermissionDenied),
            (Errno::XDEV, ErrorKind::Unsupported),
            (Errno::OPNOTSUPP, ErrorKind::Unsupported),
            (Errno::LOOP, ErrorKind::Corrupt),
        ] {
            let error = failure(errno.into(), &key);
            assert_eq!(error.kind(), kind, "{errno:?}");
            assert!(error.to_string().contains("pack/1"), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
    }
}
