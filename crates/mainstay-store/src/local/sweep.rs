//! Removing what dead writers left.

use std::fs::File;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use mainstay_core::Timestamp;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::staging::Staging;

/// Longer than any write takes, so that what is older has no writer. Were it wrong, the writer's
/// link or rename would fail and nothing else.
const STALE_AFTER: Duration = Duration::from_hours(24);

const LOCK: FlockOperation = FlockOperation::NonBlockingLockExclusive;

impl Staging {
    /// Removes the staged files of dead writers: those that nobody holds a lock on or, where locks
    /// do not tell, those that are a day old.
    pub(super) fn sweep(&self, now: Timestamp) -> io::Result<()> {
        for (name, _) in self.directory.names()? {
            if let Err(error) = self.remove_if_dead(&name, now) {
                tracing::warn!(name, %error, "a dead writer's staged file stays");
            }
        }
        Ok(())
    }

    fn remove_if_dead(&self, name: &str, now: Timestamp) -> io::Result<()> {
        let Some(file) = self.directory.open_file(name)? else {
            return Ok(());
        };
        let dead = match self.locks_tell_life.then(|| flock(&file, LOCK)) {
            Some(Ok(())) => true,
            Some(Err(Errno::WOULDBLOCK)) => false,
            Some(Err(_)) | None => age(&file, now)? > STALE_AFTER,
        };
        // The lock is held until the name is gone, so that a writer that is about to take it finds
        // the file without a name.
        if dead {
            self.directory.remove(name)?;
        }
        Ok(())
    }
}

fn age(file: &File, now: Timestamp) -> io::Result<Duration> {
    let since_epoch = file.metadata()?.modified()?.duration_since(UNIX_EPOCH);
    let modified = Timestamp::UNIX_EPOCH.saturating_add(since_epoch.unwrap_or_default());
    Ok(now.saturating_since(modified))
}
