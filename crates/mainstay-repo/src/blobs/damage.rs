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
    /// Holds something, named here, of which this build does not know this number.
    Unknown(&'static str, u8),
}

impl Damage {
    /// Turns it into the error for the object named.
    pub(crate) fn of(self, object: impl fmt::Display) -> Error {
        let message = match self {
            Self::Broken(what) => return Error::corrupt(object, what),
            Self::Newer(version) => {
                format!("format version {version} is newer than this build reads")
            }
            Self::Unknown(what, number) => format!("{what} {number} is not known to this build"),
        };
        Error::new(ErrorKind::Incompatible, message).context("object", object)
    }
}
