//! Failures of moving rows around.

use arrow::error::ArrowError;
use mainstay_core::{Error, ErrorKind};

/// Tells a failing disk from a type that the Arrow kernels cannot move.
pub(super) fn immovable(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::from(error).context("path", "temporary file"),
        error => Error::new(ErrorKind::Unsupported, "cannot compare rows of these types")
            .with_source(error),
    }
}
