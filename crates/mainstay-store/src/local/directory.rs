//! Open directories, and what is done in one of them without following symbolic links.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Durability;

/// An open directory.
///
/// Names given to the methods are single path components and never `..`, so no method leaves it.
#[derive(Debug)]
pub(super) struct Directory(File);

/// What a name in a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    File { bytes: u64 },
    Other,
}

impl Directory {
    /// How to open a directory in another.
    pub(super) const FLAGS: OFlags = OFlags::RDONLY
        .union(OFlags::DIRECTORY)
        .union(OFlags::NOFOLLOW)
        .union(OFlags::CLOEXEC);

    /// How to open a file. Without `NONBLOCK`, opening a pipe would wait for its writer.
    pub(super) const FILE_FLAGS: OFlags = OFlags::RDONLY
        .union(OFlags::NOFOLLOW)
        .union(OFlags::NONBLOCK)
        .union(OFlags::CLOEXEC);

    /// Opens a path from outside, links and all.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?.into()))
    }

    pub(super) fn new(opened: File) -> Self {
        Self(opened)
    }

    pub(super) fn as_file(&self) -> &File {
        &self.0
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Opens a directory in this one; `None` when absent.
    pub(super) fn child(&self, name: &str) -> io::Result<Option<Self>> {
        let opened = rustix::fs::openat(&self.0, name, Self::FLAGS, Mode::empty());
        Ok(unless_absent(opened)?.map(|fd| Self(fd.into())))
    }

    /// Makes a directory in this one, which another may have made meanwhile.
    pub(super) fn make_child(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        self.child(name)?.ok_or_else(|| Errno::NOENT.into())
    }

    /// Opens a file for reading; `None` when absent.
    pub(super) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        let opened = rustix::fs::openat(&self.0, name, Self::FILE_FLAGS, Mode::empty());
        let opened = unless_absent(opened)?;
        opened.map(|fd| regular(fd.into())).transpose()
    }

    /// Creates a file for writing; an error when the name is taken.
    pub(super) fn create_file(&self, name: &str) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o666))?;
        Ok(fd.into())
    }

    pub(super) fn find(&self, name: &str) -> io::Result<Found> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW);
        Ok(match unless_absent(stat)? {
            None => Found::Nothing,
            Some(stat) if FileType::from_raw_mode(stat.st_mode).is_file() => Found::File {
                bytes: u64::try_from(stat.st_size).unwrap_or(0),
            },
            Some(_) => Found::Other,
        })
    }

    /// Gives a file in this directory a second name in another, unless that is taken.
    pub(super) fn link(&self, name: &str, to: &Self, to_name: &str) -> Result<(), Errno> {
        rustix::fs::linkat(&self.0, name, &to.0, to_name, AtFlags::empty())
    }

    /// Moves a file in this directory to a name in another, over what is there.
    pub(super) fn rename(&self, name: &str, to: &Self, to_name: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, name, &to.0, to_name)?)
    }

    /// Removes a file, if there.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let removed = rustix::fs::unlinkat(&self.0, name, AtFlags::empty());
        unless_absent(removed).map(drop)
    }

    /// Waits until the names in this directory are on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    /// Reads the names in this directory, in no order; those that are not UTF-8 are left out, as
    /// this storage makes none.
    pub(super) fn names(&self) -> io::Result<Vec<(String, FileType)>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push((name.to_owned(), entry.file_type()));
            }
        }
        Ok(names)
    }
}

/// Refuses what is not a file.
pub(super) fn regular(opened: File) -> io::Result<File> {
    if opened.metadata()?.is_file() {
        Ok(opened)
    } else {
        Err(Errno::ISDIR.into())
    }
}

pub(super) fn unless_absent<T>(result: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Creates the directory `path`, which is absolute, and makes its name durable.
///
/// The ancestors that were there may just have been made by another process, so they are synced
/// too; those that this process may not open were not made on its behalf.
pub(super) fn create_with_ancestors(path: &Path, durability: Durability) -> io::Result<()> {
    let missing = path.ancestors().take_while(|path| !path.exists()).count();
    match fs::create_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        created => created?,
    }
    if durability == Durability::None {
        return Ok(());
    }
    for (index, parent) in path.ancestors().skip(1).enumerate() {
        let synced = Directory::open(parent).and_then(|directory| directory.sync());
        if index < missing {
            synced?;
        }
    }
    Ok(())
}
