//! The work on the files, which blocks.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use mainstay_core::{Error, ErrorKind, Result};
use rustix::io::Errno;

use super::directory::{self, Directory, Found};
use super::place::Place;
use super::staging::Staging;
use super::{Durability, LocalOptions};
use crate::{ByteRange, Key, Object, PutMode, PutOutcome};

/// The directory tree; every method blocks.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) path: PathBuf,
    pub(super) root: Directory,
    pub(super) staging: Staging,
    pub(super) durability: Durability,
    /// The directories whose names, up to the root, this process has seen safe on the disk.
    /// Directories are never removed, so they stay so.
    pub(super) settled: Mutex<BTreeSet<String>>,
    /// Set when a directory could not be synced: the kernel may have dropped the changes, and a
    /// second sync would succeed without them.
    pub(super) sync_failed: AtomicBool,
}

impl Tree {
    pub(super) fn open(path: &Path, options: &LocalOptions) -> Result<Self> {
        let durability = options.durability;
        let path = std::path::absolute(path)?;
        directory::create_with_ancestors(&path, durability)?;
        let root = Directory::open(&path)?;
        let staging = Staging::open(&root, durability)?;
        staging.sweep(options.clock.now())?;
        Ok(Self {
            path,
            root,
            staging,
            durability,
            settled: Mutex::default(),
            sync_failed: AtomicBool::new(false),
        })
    }

    pub(super) fn get(&self, key: &Key, range: &ByteRange) -> Result<Option<Object>> {
        let place = Place::of(key);
        let read = || -> io::Result<Option<Object>> {
            let Some(directory) = self.root.descend(&place.directories)? else {
                return Ok(None);
            };
            let Some(mut file) = directory.open_file(&place.file)? else {
                return Ok(None);
            };
            let size = file.metadata()?.len();
            let range = range.within(size);
            let len = range.end - range.start;
            let mut bytes = Vec::new();
            let reserved = usize::try_from(len).map(|len| bytes.try_reserve_exact(len));
            if !matches!(reserved, Ok(Ok(()))) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            file.seek(SeekFrom::Start(range.start))?;
            file.take(len).read_to_end(&mut bytes)?;
            if bytes.len() as u64 != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let bytes = bytes.into();
            Ok(Some(Object { bytes, size }))
        };
        read().map_err(|error| failure(error, key))
    }

    pub(super) fn put(&self, key: &Key, bytes: &[u8], mode: PutMode) -> Result<PutOutcome> {
        let place = Place::of(key);
        self.check_syncable(key)?;
        let directory = self
            .directory_for(&place)
            .map_err(|error| failure(error, key))?;
        let published = match mode {
            PutMode::Create => self.create(&directory, &place.file, bytes),
            PutMode::Overwrite => self.replace(&directory, &place.file, bytes),
        };
        let outcome = published.map_err(|error| failure(error, key))?;
        // Also when it exists: its writer may not have come to this sync yet.
        self.sync(&directory, key)?;
        Ok(outcome)
    }

    fn create(&self, directory: &Directory, name: &str, bytes: &[u8]) -> io::Result<PutOutcome> {
        // Spares writing what cannot be published; the link below decides.
        if directory.find(name)? == Found::Nothing {
            let staged = self.staging.write(bytes, self.durability)?;
            if staged.link(directory, name)? {
                return Ok(PutOutcome::Written);
            }
        }
        match directory.find(name)? {
            Found::Other => Err(Errno::ISDIR.into()),
            Found::Nothing | Found::File { .. } => Ok(PutOutcome::Exists),
        }
    }

    fn replace(&self, directory: &Directory, name: &str, bytes: &[u8]) -> io::Result<PutOutcome> {
        let staged = self.staging.write(bytes, self.durability)?;
        staged.rename(directory, name)?;
        Ok(PutOutcome::Written)
    }

    pub(super) fn delete(&self, key: &Key) -> Result<()> {
        let place = Place::of(key);
        self.check_syncable(key)?;
        let directory = match self.root.descend(&place.directories) {
            Ok(Some(directory)) => directory,
            Ok(None) => return Ok(()),
            Err(error) => return Err(failure(error, key)),
        };
        directory
            .remove(&place.file)
            .map_err(|error| failure(error, key))?;
        // Also when it was absent: who removed it may not have come to this sync yet.
        self.sync(&directory, key)
    }

    /// Opens the directory of `place`, making what is absent and making sure that the names of all
    /// of it are on the disk, whoever made it.
    fn directory_for(&self, place: &Place) -> io::Result<Directory> {
        let mut directory = self.root.try_clone()?;
        let mut path = String::new();
        for name in &place.directories {
            path.push_str(name);
            path.push('/');
            let child = match directory.child(name)? {
                Some(child) => child,
                None => directory.make_child(name)?,
            };
            self.settle(&path, &directory)?;
            directory = child;
        }
        Ok(directory)
    }

    fn settle(&self, path: &str, parent: &Directory) -> io::Result<()> {
        if self.durability == Durability::None {
            return Ok(());
        }
        let settled = || self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        if !settled().contains(path) {
            self.sync_directory(parent)?;
            settled().insert(path.to_owned());
        }
        Ok(())
    }

    fn check_syncable(&self, key: &Key) -> Result<()> {
        if self.sync_failed.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "an earlier sync failed: check the disk and open the storage again",
            )
            .context("key", key));
        }
        Ok(())
    }

    /// Makes what was done in `directory` durable.
    fn sync(&self, directory: &Directory, key: &Key) -> Result<()> {
        if self.durability == Durability::None {
            return Ok(());
        }
        self.sync_directory(directory)
            .map_err(|error| failure(error, key).ambiguous())
    }

    fn sync_directory(&self, directory: &Directory) -> io::Result<()> {
        directory.sync().inspect_err(|_| {
            self.sync_failed.store(true, Ordering::Release);
        })
    }
}

/// Names the key in an error of the operating system.
fn failure(error: io::Error, key: &Key) -> Error {
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
