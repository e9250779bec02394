//! The version of the tables.

use mainstay_core::{Error, ErrorKind, Result};

/// The newest version this build reads and writes.
pub(crate) const VERSION: i64 = 1;

/// Returns the steps of `migrations`, one a version, that lead from `found` to [`VERSION`].
///
/// `found` is 0 when there are no tables.
///
/// # Errors
/// [`ErrorKind::Incompatible`] when the tables are newer.
pub(crate) fn missing<'a>(found: i64, migrations: &'a [&'a str]) -> Result<&'a [&'a str]> {
    match usize::try_from(found) {
        Ok(done) => migrations.get(done..).ok_or_else(|| {
            Error::new(
                ErrorKind::Incompatible,
                "the tables were made by a newer Mainstay",
            )
            .context("version", found)
            .context("newest known", VERSION)
        }),
        Err(_) => Err(Error::corrupt("format", "the tables have no valid version")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_steps_not_taken_are_missing_and_a_newer_version_is_refused() {
        let steps = ["one", "two"];
        assert_eq!(missing(0, &steps).unwrap(), ["one", "two"]);
        assert_eq!(missing(1, &steps).unwrap(), ["two"]);
        assert!(missing(2, &steps).unwrap().is_empty());
        let newer = missing(3, &steps).unwrap_err();
        assert_eq!(newer.kind(), ErrorKind::Incompatible);
        let corrupt = missing(-1, &steps).unwrap_err();
        assert_eq!(corrupt.kind(), ErrorKind::Corrupt);
    }
}
