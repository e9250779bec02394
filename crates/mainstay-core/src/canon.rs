//! Canonical JSON ([RFC 8785]): the one encoding that is hashed and stored.
//!
//! Two equal values always give the same bytes: object members sorted by UTF-16 code units, numbers
//! as ECMAScript prints them, no white space. Refused, because two readers could disagree on them:
//! NaN and infinities, integers beyond ±(2⁵³ − 1) whose digits a double would change, repeated
//! members, nesting deeper than 128.
//!
//! ```
//! use mainstay_core::canon;
//!
//! let value = serde_json::json!({"b": 1.0, "a": [true, "é"]});
//! assert_eq!(canon::to_vec(&value)?, r#"{"a":[true,"é"],"b":1}"#.as_bytes());
//! # Ok::<(), mainstay_core::Error>(())
//! ```
//!
//! [RFC 8785]: https://www.rfc-editor.org/rfc/rfc8785

use serde::Serialize;
use serde::de::DeserializeOwned;

mod encode;
mod member;
mod number;

use crate::{Digest, Error, ErrorKind, Result};

/// Encodes `value` as canonical JSON.
///
/// # Errors
/// [`ErrorKind::Invalid`] when the value holds a number that is not finite, an integer beyond
/// ±(2⁵³ − 1) whose digits a double would change, a map whose keys are neither text nor numbers, or one with a key twice.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    encode::encode(value)
        .map_err(|refused| Error::invalid("value has no canonical JSON").with_source(refused))
}

/// Computes the digest of `value`'s canonical JSON: the identity of a record.
///
/// # Errors
/// As [`to_vec`].
pub fn digest<T: Serialize + ?Sized>(value: &T) -> Result<Digest> {
    Ok(Digest::of(&to_vec(value)?))
}

/// Decodes stored canonical JSON.
///
/// # Errors
/// [`ErrorKind::Corrupt`] when the bytes are not JSON, do not fit `T`, or are not the canonical
/// spelling of what they say.
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let value: T = serde_json::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::Corrupt, "not the expected JSON").with_source(error)
    })?;
    if to_vec(&value)? != bytes {
        return Err(Error::new(ErrorKind::Corrupt, "not canonical JSON"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
