//! Errors of SQLite, told in the words of the workspace.

use mainstay_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// Says what went wrong. Of SQLite's own words only those for the code are kept: they name no value.
pub(super) fn failure(error: &rusqlite::Error) -> Error {
    let Some(code) = error.sqlite_error() else {
        // A column of another type than the tables have.
        return Error::new(ErrorKind::Corrupt, "a row is not as the tables say");
    };
    let (kind, message) = of_code(code.code);
    Error::new(kind, message).with_source(*code)
}

fn of_code(code: ErrorCode) -> (ErrorKind, &'static str) {
    match code {
        ErrorCode::DatabaseBusy
        | ErrorCode::DatabaseLocked
        | ErrorCode::FileLockingProtocolFailed => (
            ErrorKind::Unavailable,
            "another process holds the database for too long",
        ),
        ErrorCode::DiskFull => (ErrorKind::Unavailable, "no space left"),
        ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory => {
            (ErrorKind::Unavailable, "input or output failed")
        }
        ErrorCode::ReadOnly
        | ErrorCode::PermissionDenied
        | ErrorCode::AuthorizationForStatementDenied => {
            (ErrorKind::PermissionDenied, "the file cannot be written")
        }
        ErrorCode::CannotOpen => (
            ErrorKind::PermissionDenied,
            "the file, or one that belongs to it, cannot be opened",
        ),
        ErrorCode::DatabaseCorrupt => (ErrorKind::Corrupt, "the database is damaged"),
        ErrorCode::NotADatabase => (ErrorKind::Corrupt, "the file is not a SQLite database"),
        ErrorCode::TooBig => (ErrorKind::Invalid, "the object is too large for SQLite"),
        _ => (ErrorKind::Internal, "SQLite refuses a statement"),
    }
}
