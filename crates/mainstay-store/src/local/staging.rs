//! Files on their way to becoming objects.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_core::{Error, ErrorKind, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::Durability;
use super::direct;
use super::directory::Directory;
use super::host::Host;
use super::kernel;

const DIRECTORY: &str = ".staging";

/// The directory of staged files.
///
/// Where the file system can, a staged file has no name until it is published, so that a killed
/// writer leaves nothing. Where a name is needed, the writer holds a lock on the file while it has
/// one, by which a sweep tells the living from the dead.
#[derive(Debug)]
pub(super) struct Staging {
    pub(super) directory: Directory,
    /// Random, so that no other process anywhere uses the same names.
    stem: String,
    next: AtomicU64,
    anonymous: bool,
    pub(super) locks_tell_life: bool,
    /// Whether large files are written past the kernel's cache.
    writes_direct: bool,
}

impl Staging {
    /// Opens the directory, making it if absent.
    pub(super) fn open(root: &Directory, host: &Host, durability: Durability) -> Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "no random numbers").with_source(error)
        })?;
        let mut staging = Self {
            directory: root.make_child(DIRECTORY)?,
            stem: format!("{:032x}", u128::from_ne_bytes(random)),
            next: AtomicU64::new(0),
            anonymous: false,
            locks_tell_life: host.locks_tell_life,
            writes_direct: host.writes_direct && durability != Durability::None,
        };
        staging.anonymous = host.has_anonymous_files && staging.try_anonymous();
        Ok(staging)
    }

    /// Reports whether a file can be written before it has a name.
    fn try_anonymous(&self) -> bool {
        let name = self.fresh_name();
        let linked = kernel::create_anonymous(self.directory.as_file())
            .and_then(|file| kernel::link_open(&file, self.directory.as_file(), &name));
        linked.is_ok() && self.directory.remove(&name).is_ok()
    }

    pub(super) fn fresh_name(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.stem)
    }

    /// Writes a staged file, which is on no disk yet.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<Staged<'_>> {
        let mut staged = if self.anonymous {
            let file = kernel::create_anonymous(self.directory.as_file())?;
            self.staged(file, None)
        } else {
            self.create_named()?
        };
        if self.writes_direct && bytes.len() >= direct::LARGE_BYTES {
            direct::write(&staged.file, bytes)?;
        } else {
            staged.file.write_all(bytes)?;
        }
        Ok(staged)
    }

    fn create_named(&self) -> io::Result<Staged<'_>> {
        loop {
            let name = self.fresh_name();
            let file = self.directory.create_file(&name)?;
            let staged = self.staged(file, Some(name));
            staged.lock();
            // A sweep that came before the lock took the file for a dead writer's.
            if staged.links()? > 0 {
                return Ok(staged);
            }
        }
    }

    fn staged(&self, file: File, name: Option<String>) -> Staged<'_> {
        Staged {
            staging: self,
            file,
            name,
        }
    }
}

/// A staged file; its name, if it has one, is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    staging: &'a Staging,
    pub(super) file: File,
    name: Option<String>,
}

impl Staged<'_> {
    /// Publishes the file under a new name; `false` when the name is taken.
    pub(super) fn link(self, to: &Directory, to_name: &str) -> io::Result<bool> {
        let linked = match &self.name {
            None => kernel::link_open(&self.file, to.as_file(), to_name),
            Some(name) => self.staging.directory.link(name, to, to_name),
        };
        match linked {
            Ok(()) => Ok(true),
            // A network file system that lost the answer asks again and finds what it did itself.
            Err(Errno::EXIST) => Ok(self.links()? > u64::from(self.name.is_some())),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the file system has no hard links",
            )),
            Err(error) => Err(error.into()),
        }
    }

    /// Publishes the file over whatever has the name.
    pub(super) fn rename(mut self, to: &Directory, to_name: &str) -> io::Result<()> {
        let directory = &self.staging.directory;
        let name = if let Some(name) = self.name.take() {
            name
        } else {
            self.lock();
            let name = self.staging.fresh_name();
            kernel::link_open(&self.file, directory.as_file(), &name)?;
            name
        };
        let renamed = directory.rename(&name, to, to_name);
        if renamed.is_err() {
            self.name = Some(name);
        }
        renamed
    }

    /// Tells sweeps that the writer lives; where the file cannot be locked they go by its age.
    fn lock(&self) {
        if self.staging.locks_tell_life
            && let Err(error) = flock(&self.file, FlockOperation::LockExclusive)
        {
            tracing::debug!(%error, "a staged file could not be locked");
        }
    }

    fn links(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.nlink())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && let Err(error) = self.staging.directory.remove(name)
        {
            tracing::warn!(name, %error, "a staged file stays until it is swept");
        }
    }
}
