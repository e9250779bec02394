//! Records and their format number.

use std::fmt::Display;

use mainstay_core::{Error, ErrorKind, RefPath, Result};
use mainstay_repo::{Value, View};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The newest format of each record this crate writes.
const FORMAT: u64 = 1;

/// Encodes a record with its format number.
pub(crate) fn encode<T: Serialize>(kind: &str, record: &T) -> Result<Value> {
    let mut value = Value::new(kind, record)?;
    match value.record.as_object_mut() {
        Some(members) => members.insert("format".to_owned(), FORMAT.into()),
        None => return Err(Error::new(ErrorKind::Internal, "a record is a JSON object")),
    };
    Ok(value)
}

/// Decodes the record of `thing`; refuses what a newer Mainstay wrote.
pub(crate) fn decode<T: DeserializeOwned>(
    value: &Value,
    kind: &str,
    thing: impl Display,
) -> Result<T> {
    let checked = || {
        value.check_format(kind, FORMAT)?;
        let mut value = value.clone();
        if let Some(members) = value.record.as_object_mut() {
            members.remove("format");
        }
        value.decode(kind)
    };
    checked().map_err(|error| error.context("record", thing))
}

/// Reads the record of a ref; `None` when the ref holds nothing.
pub(crate) fn read<T: DeserializeOwned>(
    view: &View,
    path: &RefPath,
    kind: &str,
) -> Result<Option<T>> {
    view.get(path)?
        .and_then(|state| state.value.as_ref())
        .map(|value| decode(value, kind, path))
        .transpose()
}
