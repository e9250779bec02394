//! Options that every database has.

use std::collections::BTreeMap;
use std::str::FromStr;

use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::Key;

use super::chunk::MAX_OBJECT_BYTES;

/// Options by their names in lower case; taken out one by one, so that what is left is unknown.
#[derive(Debug)]
pub(crate) struct Options(BTreeMap<String, String>);

impl Options {
    pub(crate) fn new(options: BTreeMap<String, String>) -> Self {
        Self(options)
    }

    pub(crate) fn take(&mut self, name: &'static str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes an option that is a number or the like; errors name it but not its value.
    pub(crate) fn take_parsed<T: FromStr>(&mut self, name: &'static str) -> Result<Option<T>> {
        self.take(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    Error::invalid("the option has a bad value").context("option", name)
                })
            })
            .transpose()
    }

    pub(crate) fn finish(self) -> Result<()> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(Error::invalid("the database has no such option")
                .context("option", name.escape_debug())),
        }
    }
}

/// What every database is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) namespace: String,
    pub(crate) max_object_bytes: u64,
    pub(crate) read_only: bool,
}

impl Settings {
    pub(crate) fn take(options: &mut Options) -> Result<Self> {
        let namespace = options.take("namespace");
        let namespace = namespace.unwrap_or_else(|| "main".to_owned());
        if !is_namespace(&namespace) {
            return Err(Error::invalid(
                "a namespace is 1 to 63 of a-z, 0-9, - and _, and begins with a letter or digit",
            ));
        }
        let max_object_bytes = options.take_parsed("max_object_bytes")?;
        let max_object_bytes = max_object_bytes.unwrap_or(64 << 20);
        if !(1 << 20..=MAX_OBJECT_BYTES).contains(&max_object_bytes) {
            return Err(Error::invalid("max_object_bytes is out of bounds")
                .context("min", 1 << 20)
                .context("max", MAX_OBJECT_BYTES));
        }
        Ok(Self {
            namespace,
            max_object_bytes,
            read_only: options.take_parsed("read_only")?.unwrap_or(false),
        })
    }

    pub(crate) fn check_size(&self, key: &Key, bytes: &Bytes) -> Result<()> {
        if bytes.len() as u64 <= self.max_object_bytes {
            return Ok(());
        }
        Err(Error::invalid(
            "the object is too large for a database: keep packs in an object store beside it",
        )
        .operation("put")
        .context("key", key)
        .context("bytes", bytes.len())
        .context("max_object_bytes", self.max_object_bytes))
    }
}

/// The answer to a write of a storage that was opened to be read.
pub(crate) fn read_only(operation: &'static str, key: &Key) -> Error {
    Error::new(
        ErrorKind::PermissionDenied,
        "the database is open for reading only",
    )
    .operation(operation)
    .context("key", key)
}

fn is_namespace(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings> {
        let pairs = pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let mut options = Options::new(pairs.collect());
        let settings = Settings::take(&mut options)?;
        options.finish()?;
        Ok(settings)
    }

    #[test]
    fn options_are_taken() {
        let pairs = [
            ("namespace", "team-a"),
            ("max_object_bytes", "1048576"),
            ("read_only", "true"),
        ];
        let wanted = Settings {
            namespace: "team-a".to_owned(),
            max_object_bytes: 1 << 20,
            read_only: true,
        };
        assert_eq!(settings(&pairs).unwrap(), wanted);
    }

    #[test]
    fn bad_values_and_unknown_names_are_refused_and_values_not_repeated() {
        let long = "x".repeat(64);
        for pair in [
            ("namespace", ""),
            ("namespace", "-5ec7e7"),
            ("namespace", "5Ec7e7"),
            ("namespace", "5ec7e7'; --"),
            ("namespace", &long),
            ("max_object_bytes", "5ec7e7"),
            ("max_object_bytes", "-1"),
            ("max_object_bytes", "1000"),
            ("max_object_bytes", "99999999999"),
            ("read_only", "5ec7e7"),
            ("no_such_option", "5ec7e7"),
        ] {
            let error = settings(&[pair]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(!format!("{error:?}").contains("5ec7e7"), "{error:?}");
        }
    }
}
