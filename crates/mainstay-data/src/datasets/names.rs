//! The names of pointers to versions.

use mainstay_core::{Error, Name, Result};

/// Checks that a tag or branch cannot be taken for a version.
///
/// # Errors
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) for `latest` and plain numbers.
pub(super) fn check_pointer(family: &'static str, name: &Name) -> Result<()> {
    let reserved = if name.as_str() == "latest" {
        "latest always means the newest version"
    } else if name.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
        "a plain number is a version"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("bad {family}: {reserved}")).context(family, name))
}
