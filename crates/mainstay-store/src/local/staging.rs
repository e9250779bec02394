//! Files on their way to becoming objects.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use mainstay_core::{Error, ErrorKind, Result, Timestamp};
use rustix::io::Errno;

use super::Durability;
use super::directory::Directory;

const DIRECTORY: &str = ".staging";

/// Longer than any write takes, so that what is older has no writer. Were it wrong, the writer's
/// link or rename would fail and nothing else.
const STALE_AFTER: Duration = Duration::from_hours(24);

/// The directory of staged files.
#[derive(Debug)]
pub(super) struct Staging {
    directory: Directory,
    /// Random, so that no other process anywhere uses the same names.
    stem: String,
    next: AtomicU64,
}

impl Staging {
    pub(super) fn open(root: &Directory, durability: Durability) -> Result<Self> {
        let directory = root.make_child(DIRECTORY)?;
        if durability == Durability::Strict {
            root.sync()?;
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "no random numbers").with_source(error)
        })?;
        Ok(Self {
            directory,
            stem: format!("{:032x}", u128::from_ne_bytes(random)),
            next: AtomicU64::new(0),
        })
    }

    /// Writes a staged file.
    pub(super) fn write(&self, bytes: &[u8], durability: Durability) -> io::Result<Staged<'_>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", self.stem);
        let mut file = self.directory.create_file(&name)?;
        let staged = Staged {
            directory: &self.directory,
            name: Some(name),
        };
        file.write_all(bytes)?;
        if durability == Durability::Strict {
            file.sync_all()?;
        }
        Ok(staged)
    }

    /// Removes what dead writers left.
    pub(super) fn sweep(&self, now: Timestamp) -> io::Result<()> {
        for (name, _) in self.directory.names()? {
            if let Err(error) = self.remove_if_stale(&name, now) {
                tracing::warn!(name, %error, "a stale staged file stays");
            }
        }
        Ok(())
    }

    fn remove_if_stale(&self, name: &str, now: Timestamp) -> io::Result<()> {
        let Some(file) = self.directory.open_file(name)? else {
            return Ok(());
        };
        let since_epoch = file.metadata()?.modified()?.duration_since(UNIX_EPOCH);
        let modified = Timestamp::UNIX_EPOCH.saturating_add(since_epoch.unwrap_or_default());
        if now.saturating_since(modified) > STALE_AFTER {
            self.directory.remove(name)?;
        }
        Ok(())
    }
}

/// A staged file; removed when dropped unless renamed.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    directory: &'a Directory,
    name: Option<String>,
}

impl Staged<'_> {
    /// Publishes the file under a new name; `false` when the name is taken.
    pub(super) fn link(self, to: &Directory, to_name: &str) -> io::Result<bool> {
        let linked = self.directory.link(self.name(), to, to_name);
        linked.map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => io::Error::new(
                io::ErrorKind::Unsupported,
                "the file system has no hard links",
            ),
            _ => error,
        })
    }

    /// Publishes the file over whatever has the name.
    pub(super) fn rename(mut self, to: &Directory, to_name: &str) -> io::Result<()> {
        self.directory.rename(self.name(), to, to_name)?;
        self.name = None;
        Ok(())
    }

    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && let Err(error) = self.directory.remove(name)
        {
            tracing::warn!(name, %error, "a staged file stays until it is swept");
        }
    }
}
