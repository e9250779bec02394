//! Writing a blob to a file.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;
use tokio::sync::mpsc::{self, Receiver};

use super::fetch::Batch;
use crate::blobs::blocking;

/// How many batches wait to be written.
const WAITING_BATCHES: usize = 2;

/// The disk gets to work after so many bytes, rather than when all are written.
const SYNCED_BYTES: usize = 16 * 1024 * 1024;

/// A piece of zeros of at least this length, that of a page, becomes a hole.
const MIN_HOLE: usize = 4096;

/// Writes `batches` beside `path`, makes them durable, and renames them into place.
pub(super) async fn export(
    mut batches: BoxStream<'static, Result<Batch>>,
    path: &Path,
) -> Result<()> {
    let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
    let feeding = async move {
        while let Some(batch) = batches.try_next().await? {
            if sender.send(Some(batch)).await.is_err() {
                return Ok(());
            }
        }
        // An end that is said tells a whole blob from one that was given up.
        let _closed = sender.send(None).await;
        Ok(())
    };
    let target = path.to_owned();
    let writing = blocking::run(move || write(receiver, &target));
    let (fed, written) = futures::join!(feeding, writing);
    fed.and(written.flatten())
}

fn write(batches: Receiver<Option<Batch>>, path: &Path) -> Result<()> {
    let failed = |error| write_error(error, path);
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    // Removed when it is dropped.
    let file = temporary(&directory).map_err(failed)?;
    write_batches(batches, file.as_file(), path)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    sync_directory(&directory).map_err(failed)
}

/// Writes everything and makes it durable, the first of it while the rest is written.
fn write_batches(mut batches: Receiver<Option<Batch>>, file: &File, path: &Path) -> Result<()> {
    let failed = |error| write_error(error, path);
    thread::scope(|scope| {
        let (sync, syncs) = sync_channel(1);
        let syncing = scope.spawn(move || syncs.iter().try_for_each(|()| file.sync_data()));
        let mut holes = Holes { file, len: 0 };
        let mut unsynced = 0;
        while let Some(batch) = batches.blocking_recv().ok_or_else(given_up)? {
            for piece in batch {
                unsynced += holes.write(&piece).map_err(failed)?;
            }
            if unsynced >= SYNCED_BYTES && sync.try_send(()).is_ok() {
                unsynced = 0;
            }
        }
        drop(sync);
        // The last piece may have been a hole.
        file.set_len(holes.len).map_err(failed)?;
        match syncing.join() {
            // An error of syncing is told once only.
            Ok(synced) => synced.and_then(|()| file.sync_all()).map_err(failed),
            Err(_) => Err(Error::new(ErrorKind::Internal, "syncing a file panicked")),
        }
    })
}

/// A file being written that gets holes where zeros would be.
struct Holes<'f> {
    file: &'f File,
    /// Bytes so far.
    len: u64,
}

impl Holes<'_> {
    /// Returns how many bytes were written, which a hole is not.
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.len += piece.len() as u64;
        if piece.len() >= MIN_HOLE && is_zero(piece) {
            self.file.seek(SeekFrom::Start(self.len))?;
            return Ok(0);
        }
        self.file.write_all(piece)?;
        Ok(piece.len())
    }
}

/// Ends at the first byte that is not zero.
fn is_zero(piece: &[u8]) -> bool {
    let (words, rest) = piece.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

fn given_up() -> Error {
    Error::new(ErrorKind::Cancelled, "the export was given up")
}

fn write_error(error: std::io::Error, path: &Path) -> Error {
    Error::from(error)
        .operation("write file")
        .context("path", path.display())
}

/// Creates a file with the permissions any new file of this process gets.
fn temporary(directory: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mainstay-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Elsewhere a rename is durable with the file.
#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> std::io::Result<()> {
    Ok(())
}
