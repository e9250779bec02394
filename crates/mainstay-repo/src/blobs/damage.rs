//! What is wrong with stored bytes.

use std::fmt;

use mainstay_core::{Error, ErrorKind};

/// What a decoder found wrong; its caller knows the object's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Not what was written.
    Broken(&'static str),
    /// Written in a format version this build does not know.
    Newer(u32),
}

impl Damage {
    /// Turns it into the error for the object named.
    pub(crate) fn of(self, object: impl fmt::Display) -> Error {
        match self {
            Self::Broken(what) => Error::corrupt(object, what),
            Self::Newer(version) => Error::new(
                ErrorKind::Incompatible,
                format!("format version {version} is newer than this build reads"),
            )
            .context("object", object),
        }
    }
}
