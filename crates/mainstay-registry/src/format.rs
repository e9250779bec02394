//! Records that have more than one format.
//!
//! A record is written in the least format that has a word for everything in it, so that an older
//! Mainstay goes on reading what does not use what it does not know.

use mainstay_core::{Error, Result};
use mainstay_repo::Value;
use serde::de::DeserializeOwned;

/// A record with a member `format`.
pub(crate) trait Formatted: DeserializeOwned {
    /// The kind of the value that holds it.
    const KIND: &'static str;
    /// The newest format that is read.
    const NEWEST: u32;

    /// The format it says.
    fn format(&self) -> u32;

    /// The least format that has a word for everything in it.
    fn least_format(&self) -> u32;
}

/// Decodes a record of any format up to the newest.
///
/// # Errors
/// [`ErrorKind::Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it,
/// [`ErrorKind::Corrupt`](mainstay_core::ErrorKind::Corrupt) when it does not fit its format.
pub(crate) fn decode<T: Formatted>(value: &Value) -> Result<T> {
    let said = value
        .record
        .get("format")
        .and_then(serde_json::Value::as_u64);
    let format = said
        .filter(|format| (1..u64::from(T::NEWEST)).contains(format))
        .unwrap_or(u64::from(T::NEWEST));
    value.check_format(T::KIND, format)?;
    let record: T = value.decode(T::KIND)?;
    if record.least_format() > record.format() {
        return Err(Error::corrupt(
            T::KIND,
            "a record with members of a later format",
        ));
    }
    Ok(record)
}
