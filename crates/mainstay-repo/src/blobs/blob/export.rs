//! Writing a blob to a file.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, Result};
use tempfile::NamedTempFile;
use tokio::sync::mpsc::{self, Receiver};

use crate::blobs::blocking;

/// How many pieces wait to be written.
const WAITING_PIECES: usize = 64;

/// The disk gets to work after so many bytes, rather than when all are written.
const SYNCED_BYTES: usize = 16 * 1024 * 1024;

/// Writes `pieces` beside `path`, makes them durable, and renames them into place.
pub(super) async fn export(
    mut pieces: BoxStream<'static, Result<Bytes>>,
    path: &Path,
) -> Result<()> {
    let (sender, receiver) = mpsc::channel(WAITING_PIECES);
    let feeding = async move {
        while let Some(piece) = pieces.try_next().await? {
            if sender.send(Some(piece)).await.is_err() {
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

fn write(pieces: Receiver<Option<Bytes>>, path: &Path) -> Result<()> {
    let failed = |error| write_error(error, path);
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    // Removed when it is dropped.
    let file = temporary(&directory).map_err(failed)?;
    write_pieces(pieces, file.as_file(), path)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    sync_directory(&directory).map_err(failed)
}

/// Writes everything and makes it durable, the first of it while the rest is written.
fn write_pieces(mut pieces: Receiver<Option<Bytes>>, mut file: &File, path: &Path) -> Result<()> {
    let failed = |error| write_error(error, path);
    thread::scope(|scope| {
        let (sync, syncs) = sync_channel(1);
        let syncing = scope.spawn(move || syncs.iter().try_for_each(|()| file.sync_data()));
        let mut unsynced = 0;
        while let Some(piece) = pieces.blocking_recv().ok_or_else(given_up)? {
            file.write_all(&piece).map_err(failed)?;
            unsynced += piece.len();
            if unsynced >= SYNCED_BYTES && sync.try_send(()).is_ok() {
                unsynced = 0;
            }
        }
        drop(sync);
        match syncing.join() {
            // An error of syncing is told once only.
            Ok(synced) => synced.and_then(|()| file.sync_all()).map_err(failed),
            Err(_) => Err(Error::new(ErrorKind::Internal, "syncing a file panicked")),
        }
    })
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
