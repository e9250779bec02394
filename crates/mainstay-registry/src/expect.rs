//! What a caller believes about a name.

use std::fmt;

use mainstay_core::{Error, ErrorKind, Name, NodeRef, Result};
use semver::Version;

/// What a caller believes about a name that holds at most one version, checked in the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Expect {
    /// Nothing: whatever it holds is replaced.
    #[default]
    Any,
    /// It holds no version.
    Nothing,
    /// It holds this version.
    Version(Version),
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Nothing => f.write_str("nothing"),
            Self::Version(version) => version.fmt(f),
        }
    }
}

impl Expect {
    /// Refuses when the name holds something else.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] naming what it holds.
    pub(crate) fn check(
        &self,
        what: &'static str,
        name: &Name,
        held: Option<&NodeRef>,
    ) -> Result<()> {
        let met = match self {
            Self::Any => true,
            Self::Nothing => held.is_none(),
            Self::Version(version) => {
                held.is_some_and(|held| held.version().as_str() == version.to_string())
            }
        };
        if met {
            return Ok(());
        }
        let held = held.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        Err(
            Error::new(ErrorKind::Conflict, "it does not hold what was expected")
                .context(what, name)
                .context("holds", held),
        )
    }
}
