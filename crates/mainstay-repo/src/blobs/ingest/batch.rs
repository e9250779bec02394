//! Many files at once: read and hashed on several threads, packed in order on one.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Scope};

use bytes::Bytes;
use mainstay_core::{Digest, Error, ErrorKind, Result};

use super::session::Session;
use super::source::{Caller, Cancellable, Chained, FileSource, Source as _};
use super::{StoredBlob, cutting};

/// More threads than this do not read faster than one thread packs.
const MAX_THREADS: usize = 8;
/// How many files of a thread wait to be packed, of at most a piece each.
const WAITING_FILES: usize = 16;

/// A file that is ready to be packed.
enum Opened {
    /// Read and hashed.
    Small(Bytes, Digest),
    /// Open, its first two pieces read.
    Large(Chained<FileSource>),
}

/// Stores files; ends early when the session cannot go on.
pub(super) fn put(
    session: &mut Session,
    paths: &[PathBuf],
    caller: &Caller,
) -> Result<Vec<Result<StoredBlob>>> {
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let threads = threads.min(MAX_THREADS).min(paths.len());
    thread::scope(|scope| {
        // Each thread takes every so manieth file, so the order is kept without waiting for it.
        let opening: Vec<_> = (0..threads)
            .map(|first| open_all(scope, paths, first, threads))
            .collect();
        let mut stored = Vec::with_capacity(paths.len());
        for (opened, done) in opening.iter().cycle().zip(0..paths.len()) {
            caller.check().inspect_err(|_| session.fail())?;
            let opened = opened.recv().map_err(|_| {
                session.fail();
                Error::new(ErrorKind::Internal, "reading files panicked")
            })?;
            let one = opened.and_then(|opened| store(session, opened, caller));
            if session.has_failed() {
                return one.map(|_| Vec::new());
            }
            stored.push(one);
            session.count("files", done as u64 + 1, paths.len() as u64);
        }
        Ok(stored)
    })
}

fn open_all<'s>(
    scope: &'s Scope<'s, '_>,
    paths: &'s [PathBuf],
    first: usize,
    step: usize,
) -> Receiver<Result<Opened>> {
    let (sender, opened) = sync_channel(WAITING_FILES);
    scope.spawn(move || {
        for path in paths.iter().skip(first).step_by(step) {
            // Nobody receives any more when the session ended.
            if sender.send(open(path)).is_err() {
                return;
            }
        }
    });
    opened
}

fn open(path: &Path) -> Result<Opened> {
    let mut file = FileSource::open(path.to_owned())?;
    let first = file.next()?.unwrap_or_default();
    Ok(match file.next()? {
        None => {
            let digest = Digest::of(&first);
            Opened::Small(first, digest)
        }
        Some(second) => Opened::Large(Chained::new([first, second], file)),
    })
}

fn store(session: &mut Session, opened: Opened, caller: &Caller) -> Result<StoredBlob> {
    match opened {
        Opened::Small(bytes, digest) => cutting::put_whole(session, &bytes, digest),
        Opened::Large(source) => cutting::put(session, Cancellable { source, caller }, None),
    }
}
