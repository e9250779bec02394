//! Keys of stored objects.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use mainstay_core::{Error, Result};

/// The key of an object: `/`-joined segments of `a-z 0-9 . _ - %`, at most 512 bytes.
///
/// The alphabet has no upper case, so keys are safe on case-insensitive file systems, and no
/// segment begins with `.`, so none is hidden or climbs. Keys are ordered as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Box<str>);

impl Key {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when it breaks the rules above.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self> {
        let text = text.into();
        if text.len() <= MAX_LEN && text.split('/').all(is_segment) {
            Ok(Self(text))
        } else {
            Err(refused(&text))
        }
    }

    /// Returns the key below `prefix`; only its length is left to check.
    pub(crate) fn below(&self, prefix: &Prefix) -> Result<Self> {
        let text = [prefix.as_str(), self.as_str()].concat();
        if text.len() <= MAX_LEN {
            Ok(Self(text.into()))
        } else {
            Err(refused(&text))
        }
    }

    /// Returns the key as it is called below `prefix`, or `None` when it is not there.
    pub(crate) fn inside(&self, prefix: &Prefix) -> Option<Self> {
        let text = self.as_str().strip_prefix(prefix.as_str())?;
        Some(Self(text.into()))
    }

    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const MAX_LEN: usize = 512;

fn refused(text: &str) -> Error {
    // Enough to know it by: nobody bounds what is given for a key.
    let shown: String = text.chars().take(100).collect();
    Error::invalid("not an object key").context("key", shown.escape_debug())
}

pub(crate) fn is_segment(segment: &str) -> bool {
    (1..=200).contains(&segment.len())
        && !segment.starts_with('.')
        && segment
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'%'))
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

/// What a listing covers: everything, or the keys below one `/`-ended prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Prefix(Box<str>);

impl Prefix {
    /// Covers every key.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Covers the keys below `directory`, which is written without the final `/`.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn directory(directory: &str) -> Result<Self> {
        let key = Key::new(directory)?;
        Ok(Self(format!("{key}/").into()))
    }

    /// Covers what `inner` covers among the keys below this one.
    ///
    /// # Errors
    /// As [`Key::new`], of the prefix without the final `/`.
    pub fn join(&self, inner: &Self) -> Result<Self> {
        let joined = format!("{self}{inner}");
        match joined.strip_suffix('/') {
            Some(directory) => Self::directory(directory),
            None => Ok(Self::all()),
        }
    }

    /// Returns the prefix as text: empty, or ending in `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reports whether `key` is covered.
    #[must_use]
    pub fn covers(&self, key: &Key) -> bool {
        key.as_str().starts_with(self.as_str())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_join_as_paths_do() {
        let (all, a) = (Prefix::all(), Prefix::directory("a").unwrap());
        let b = Prefix::directory("b/c").unwrap();
        assert_eq!(all.join(&all).unwrap(), all);
        assert_eq!(all.join(&a).unwrap(), a);
        assert_eq!(a.join(&all).unwrap(), a);
        assert_eq!(a.join(&b).unwrap().as_str(), "a/b/c/");
    }

    #[test]
    fn keys_go_below_a_prefix_and_back_and_no_key_grows_too_long() {
        let prefix = Prefix::directory("team/a").unwrap();
        let key = Key::new("log/1").unwrap();
        let below = key.below(&prefix).unwrap();
        assert_eq!(below.as_str(), "team/a/log/1");
        assert_eq!(below.inside(&prefix), Some(key.clone()));
        assert_eq!(key.inside(&prefix), None);
        for (len, fits) in [(505, true), (506, false)] {
            let long = Key::new("a/".repeat(252) + &"a".repeat(len - 504)).unwrap();
            assert_eq!(long.below(&prefix).is_ok(), fits);
        }
    }

    #[test]
    fn a_refusal_shows_no_more_than_the_beginning() {
        let error = Key::new("\0".repeat(1 << 20)).unwrap_err();
        assert!(error.to_string().len() < 500);
    }

    #[test]
    fn only_safe_keys_are_accepted() {
        for good in ["a", "log/00000000000000000001", "pack/ab.cd_ef-%20"] {
            assert!(Key::new(good).is_ok(), "{good}");
        }
        let long = "a/".repeat(300);
        for bad in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", ".tmp/x", "A", "é", "a b", "a\\b",
            "a\0", &long,
        ] {
            assert!(Key::new(bad).is_err(), "{bad}");
        }
    }
}
