//! Errors of the server and of the way to it, told in the words of the workspace.

use std::error::Error as StdError;
use std::{fmt, io};

use deadpool_postgres::{HookError, PoolError};
use mainstay_core::{Error, ErrorKind};
use tokio_postgres::error::DbError;

/// Says what went wrong with a statement.
///
/// Of what the server says only its code and first line are kept: details can hold values.
pub(super) fn failure(error: &tokio_postgres::Error) -> Error {
    if let Some(said) = error.as_db_error() {
        let (kind, message) = of_code(said.code().code());
        return Error::new(kind, message).with_source(Said::of(said));
    }
    let (kind, message) = if is_cut(error) {
        (ErrorKind::Unavailable, "the connection was lost")
    } else {
        (ErrorKind::Internal, "the client and the server disagree")
    };
    Error::new(kind, message).with_source(Reason(error.to_string()))
}

/// As [`failure`], of a statement that writes and has been sent.
pub(super) fn write_failure(error: &tokio_postgres::Error) -> Error {
    let may_be_applied = match error.as_db_error() {
        None => true,
        // The connection or the server ended, or the server does not know the end itself.
        Some(said) => {
            let code = said.code().code();
            code == "40003" || matches!(class(code), "08" | "57" | "58" | "XX")
        }
    };
    let failure = failure(error);
    if may_be_applied {
        failure.ambiguous()
    } else {
        failure
    }
}

/// Says why there is no connection.
pub(super) fn no_connection(error: &PoolError) -> Error {
    match error {
        PoolError::Backend(error) => not_connected(error),
        PoolError::PostCreateHook(HookError::Backend(error)) => failure(error),
        PoolError::PostCreateHook(HookError::Message(message)) => {
            Error::new(ErrorKind::Unavailable, message.to_string())
        }
        PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => {
            Error::new(ErrorKind::RateLimited, "all connections are busy")
        }
        PoolError::Timeout(_) => Error::new(ErrorKind::Unavailable, "the server did not answer"),
        PoolError::Closed | PoolError::NoRuntimeSpecified => {
            Error::new(ErrorKind::Internal, "there is no pool of connections")
        }
    }
}

fn not_connected(error: &tokio_postgres::Error) -> Error {
    if error.as_db_error().is_some() {
        return failure(error);
    }
    let told = error.to_string();
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    // The client keeps the kind of its errors to itself; of its texts these are those of the kinds.
    let (kind, message) = if told.contains("TLS") {
        let message = "no encrypted connection: see sslmode and sslrootcert";
        (ErrorKind::Incompatible, message)
    } else if told.contains("authentication") || cause == "password missing" {
        let message = "the server refuses the credentials: set PGPASSWORD or the option `password`";
        (ErrorKind::PermissionDenied, message)
    } else {
        (ErrorKind::Unavailable, "the server cannot be reached")
    };
    Error::new(kind, message).with_source(Reason(format!("{told}: {cause}")))
}

fn is_cut(error: &tokio_postgres::Error) -> bool {
    let io = error
        .source()
        .is_some_and(|cause| cause.downcast_ref::<io::Error>().is_some());
    error.is_closed() || io
}

/// The first two characters of a code tell what kind of failure it is.
fn class(code: &str) -> &str {
    code.get(..2).unwrap_or_default()
}

fn of_code(code: &str) -> (ErrorKind, &'static str) {
    match code {
        "53300" => (
            ErrorKind::RateLimited,
            "the server has too many connections",
        ),
        "53100" => (ErrorKind::Unavailable, "the server has no space left"),
        "25006" => (ErrorKind::Unavailable, super::STANDBY),
        "42501" => (
            ErrorKind::PermissionDenied,
            "the role may not do this; see the grants in the format's description",
        ),
        "3D000" => (ErrorKind::NotFound, "no such database"),
        "3F000" | "42P01" => (ErrorKind::NotFound, "the tables are gone"),
        "54000" => (ErrorKind::Invalid, "the object is too large for the server"),
        _ => match class(code) {
            "28" => (
                ErrorKind::PermissionDenied,
                "the server refuses the credentials",
            ),
            "40" | "55" => (ErrorKind::Unavailable, "another transaction was in the way"),
            "08" | "57" => (
                ErrorKind::Unavailable,
                "the server ended the statement or the connection",
            ),
            "53" | "58" => (ErrorKind::Unavailable, "the server failed"),
            "XX" => (ErrorKind::Corrupt, "the database is damaged"),
            _ => (ErrorKind::Internal, "the server refuses a statement"),
        },
    }
}

/// What the server said, as far as it is safe to repeat.
#[derive(Debug)]
struct Said {
    code: String,
    message: String,
}

impl Said {
    fn of(error: &DbError) -> Self {
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl StdError for Said {}

#[derive(Debug)]
struct Reason(String);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Reason {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_tried_again_is_retryable_and_what_may_not_is_not() {
        for (code, kind) in [
            ("40001", ErrorKind::Unavailable),
            ("40P01", ErrorKind::Unavailable),
            ("55P03", ErrorKind::Unavailable),
            ("53300", ErrorKind::RateLimited),
            ("53100", ErrorKind::Unavailable),
            ("57P01", ErrorKind::Unavailable),
            ("57P03", ErrorKind::Unavailable),
            ("08006", ErrorKind::Unavailable),
            ("25006", ErrorKind::Unavailable),
            ("28P01", ErrorKind::PermissionDenied),
            ("42501", ErrorKind::PermissionDenied),
            ("3D000", ErrorKind::NotFound),
            ("42P01", ErrorKind::NotFound),
            ("XX001", ErrorKind::Corrupt),
            ("42601", ErrorKind::Internal),
            ("", ErrorKind::Internal),
        ] {
            assert_eq!(of_code(code).0, kind, "{code}");
        }
    }
}
