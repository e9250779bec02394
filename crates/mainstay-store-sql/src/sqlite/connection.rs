//! Connections to the file.

use std::path::Path;
use std::time::Duration;

use mainstay_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::failure;

/// How long a connection waits for another one's lock before the call fails and is tried again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kept when the write-ahead log starts over; more is given back.
const LOG_BYTES_KEPT: i64 = 64 << 20;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Writing; the file is made if it is absent.
    Write,
    /// Reading a file that others write.
    Read,
    /// Reading a file that cannot or must not be written.
    ReadOnly,
}

pub(super) fn open(path: &Path, purpose: Purpose) -> Result<Connection> {
    // No two threads use a connection at once.
    let shared = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let flags = match purpose {
        Purpose::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        // A reader of a log that another process is writing takes part in its shared memory.
        Purpose::Read => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Purpose::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection = Connection::open_with_flags(path, flags | shared)
        .map_err(|error| not_opened(path, &error))?;
    set_up(&connection, purpose).map_err(|error| failure(&error))?;
    Ok(connection)
}

fn set_up(connection: &Connection, purpose: Purpose) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    // The file can come from anywhere: nothing in it is run, and damage is found early.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    if purpose != Purpose::Write {
        return connection.pragma_update(None, "query_only", true);
    }
    // What is acknowledged has been synced, on every system as far as it can be.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)
}

/// Turns on the write-ahead log, which stays on.
///
/// # Errors
/// [`ErrorKind::Unsupported`] where the file cannot have one, as on a network file system.
pub(super) fn turn_on_log(connection: &Connection) -> Result<()> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|error| failure(&error))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "the file system cannot hold a write-ahead log",
    ))
}

/// Asks the file system why, because SQLite only says that it could not.
fn not_opened(path: &Path, error: &rusqlite::Error) -> Error {
    if error.sqlite_error_code() != Some(ErrorCode::CannotOpen) {
        return failure(error);
    }
    let (kind, message) = match path.metadata() {
        Ok(file) if file.is_dir() => (ErrorKind::Invalid, "the path is a directory"),
        Ok(_) => (ErrorKind::PermissionDenied, "the file cannot be opened"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => (
            ErrorKind::NotFound,
            "no such file, or no such directory to make it in",
        ),
        Err(error) => return Error::from(error),
    };
    Error::new(kind, message)
}
