//! Waiting for the disk.

use std::fs::File;
use std::io;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::io::Errno;

use super::directory::Directory;
use super::kernel;

/// Syncs that overlap share the file system's commits; more of them than this gain little.
const SIDE_BY_SIDE: usize = 64;

/// From so many files on, one sync of the whole file system is faster than syncs side by side.
const AT_ONCE: usize = 32;

/// The first of a few directories takes most of the others to the disk with it.
const IN_TURN: usize = 4;

#[derive(Debug)]
pub(super) struct Disk {
    /// The root, where everything on the file system can be synced at once.
    at_once: Option<Directory>,
    /// Set when a sync failed of which not all victims are known: the kernel may have dropped what
    /// was written, and a second sync would succeed without it.
    failed: AtomicBool,
}

impl Disk {
    pub(super) fn new(at_once: Option<Directory>) -> Self {
        Self {
            at_once,
            failed: AtomicBool::new(false),
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Waits until files that nobody else knows are on the disk; one result each.
    ///
    /// A file that fails is lost alone: it is never published, and its bytes are in no other.
    pub(super) fn sync_staged(&self, files: &[&File]) -> Vec<io::Result<()>> {
        match &self.at_once {
            Some(root) if files.len() >= AT_ONCE => {
                let synced = self.sync_all(root);
                files.iter().map(|_| repeat(&synced)).collect()
            }
            _ => side_by_side(files, in_turn),
        }
    }

    /// Waits until files and directories that others know are on the disk.
    pub(super) fn sync_published(&self, files: &[&File]) -> io::Result<()> {
        let synced = match &self.at_once {
            Some(root) if files.len() >= AT_ONCE => return self.sync_all(root),
            _ if files.len() <= IN_TURN => in_turn(files),
            _ => side_by_side(files, in_turn),
        };
        let synced: io::Result<()> = synced.into_iter().collect();
        synced.inspect_err(|_| self.fail())
    }

    fn sync_all(&self, root: &Directory) -> io::Result<()> {
        kernel::sync_file_system(root.as_file()).map_err(|error| {
            self.fail();
            error.into()
        })
    }
}

fn in_turn(files: &[&File]) -> Vec<io::Result<()>> {
    files.iter().map(|file| file.sync_all()).collect()
}

/// Does the work on shares of the items at the same time; the results are in order.
pub(super) fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    let share = items.len().div_ceil(SIDE_BY_SIDE).max(1);
    let (first, others) = items.split_at(share.min(items.len()));
    thread::scope(|scope| {
        let started: Vec<_> = others
            .chunks(share)
            .map(|items| {
                let work = &work;
                let thread = thread::Builder::new().spawn_scoped(scope, move || work(items));
                (items, thread)
            })
            .collect();
        let mut results = work(first);
        for (items, thread) in started {
            results.extend(match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| panic::resume_unwind(panic)),
                // There may be no more threads.
                Err(_) => work(items),
            });
        }
        results
    })
}

/// Makes the same result again, which errors of the standard library cannot.
pub(super) fn repeat(result: &io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => Err(match Errno::from_io_error(error) {
            Some(errno) => errno.into(),
            None => error.kind().into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn every_item_has_its_result_in_its_place_however_many_there_are() {
        for count in [0, 1, 2, 63, 64, 65, 200] {
            let items: Vec<_> = (0..count).collect();
            let doubled = side_by_side(&items, |items| items.iter().map(|n| n * 2).collect());
            assert!(doubled.into_iter().eq(items.iter().map(|n| n * 2)));
        }
    }

    fn files() -> (File, File) {
        let (_, pipe) = io::pipe().unwrap();
        let broken = File::from(OwnedFd::from(pipe));
        (tempfile::tempfile().unwrap(), broken)
    }

    #[test]
    fn a_published_file_that_cannot_be_synced_fails_the_disk_among_few_and_among_many() {
        let (good, broken) = files();
        for count in [1, 100] {
            let disk = Disk::new(None);
            let mut files = vec![&good; count];
            disk.sync_published(&files).unwrap();
            assert!(!disk.has_failed());
            files[count / 2] = &broken;
            disk.sync_published(&files).unwrap_err();
            assert!(disk.has_failed());
        }
    }

    #[test]
    fn a_staged_file_that_cannot_be_synced_fails_alone() {
        let (good, broken) = files();
        let mut files = vec![&good; 100];
        files[70] = &broken;
        let disk = Disk::new(None);
        let synced = disk.sync_staged(&files);
        let failed: Vec<_> = (0..100).filter(|index| synced[*index].is_err()).collect();
        assert_eq!((synced.len(), failed), (100, vec![70]));
        assert!(!disk.has_failed());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn when_the_file_system_cannot_be_synced_every_file_and_the_disk_fail() {
        let path_only = rustix::fs::OFlags::PATH;
        let unsyncable = rustix::fs::open(".", path_only, rustix::fs::Mode::empty()).unwrap();
        let (good, _) = files();
        let disk = Disk::new(Some(Directory::new(unsyncable.into())));
        assert!(disk.sync_staged(&[&good; 2]).iter().all(Result::is_ok));
        assert!(!disk.has_failed());
        assert!(disk.sync_staged(&[&good; 40]).iter().all(Result::is_err));
        assert!(disk.has_failed());
    }
}
