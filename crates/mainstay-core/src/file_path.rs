//! Paths of files inside a snapshot or an artifact.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::text::text_common;
use crate::{Error, ErrorKind, Result};

const MAX_PATH_BYTES: usize = 1_024;

/// The path of a file inside a snapshot or an artifact: relative, `/`-separated, and never leading
/// out of it.
///
/// Up to 1,024 bytes of UTF-8. No empty, `.` or `..` segment, no `\`, no control character. Ordered as
/// bytes.
///
/// ```
/// use mainstay_core::FilePath;
///
/// assert!("2024/part-0.parquet".parse::<FilePath>().is_ok());
/// assert!("../secret".parse::<FilePath>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(Box<str>);

impl FilePath {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when a rule above is broken.
    pub fn new(text: &str) -> Result<Self> {
        let acceptable = text.len() <= MAX_PATH_BYTES && text.split('/').all(is_segment);
        if acceptable {
            Ok(Self(text.into()))
        } else {
            Err(
                Error::invalid("not a relative file path that stays inside its folder")
                    .context("path", crate::text::printable(text)),
            )
        }
    }

    /// Returns the path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the lower-case extension without its dot; empty when there is none.
    #[must_use]
    pub fn extension(&self) -> String {
        let file = self.0.rsplit('/').next().unwrap_or_default();
        file.rsplit_once('.')
            .map_or_else(String::new, |(_, extension)| extension.to_ascii_lowercase())
    }

    /// Iterates over the directories above the file, outermost first.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        let directories = self.0.rsplit_once('/').map(|(directories, _)| directories);
        directories.into_iter().flat_map(|path| path.split('/'))
    }

    /// Returns the path below `directory`.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when this platform reads a
    /// segment as something else than a name, as Windows does `C:`.
    pub fn below(&self, directory: &Path) -> Result<PathBuf> {
        let relative = Path::new(self.as_str());
        if relative
            .components()
            .all(|component| matches!(component, Component::Normal(_)))
        {
            Ok(directory.join(relative))
        } else {
            Err(Error::new(
                ErrorKind::Unsupported,
                "this platform cannot hold a file of that name",
            )
            .context("path", self))
        }
    }
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment != "."
        && segment != ".."
        && !segment.chars().any(|c| c.is_control() || c == '\\')
}

text_common!(FilePath);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_leave_or_hide_are_refused() {
        for good in ["a", "a/b.csv", "_SUCCESS", ".hidden", "år/2024 01.csv"] {
            assert!(FilePath::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(1_025);
        for bad in [
            "", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\0", "a\nb", &long,
        ] {
            assert!(FilePath::new(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_path_stays_below_any_directory(text in ".*") {
            if let Ok(path) = FilePath::new(&text)
                && let Ok(full) = path.below(Path::new("root"))
            {
                prop_assert!(full.starts_with("root"));
                prop_assert!(full.components().all(|c| matches!(c, Component::Normal(_))));
            }
        }
    }
}
