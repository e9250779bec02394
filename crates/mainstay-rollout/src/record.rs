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
    let mut value = value.clone();
    let format = value
        .record
        .as_object_mut()
        .and_then(|members| members.remove("format"))
        .and_then(|format| format.as_u64());
    match format {
        Some(FORMAT) => value
            .decode(kind)
            .map_err(|error| error.context("record", thing)),
        Some(newer) if newer > FORMAT => Err(Error::new(
            ErrorKind::Incompatible,
            "written by a newer Mainstay",
        )
        .context("record", thing)
        .context("format", newer)),
        _ => Err(Error::corrupt(thing, "record without a format number")),
    }
}

/// Reads the record of a ref; `None` when the ref holds nothing.
pub(crate) fn read<T: DeserializeOwned>(
    view: &View,
    path: &RefPath,
    kind: &str,
) -> Result<Option<T>> {
    view.get(path)
        .and_then(|state| state.value.as_ref())
        .map(|value| decode(value, kind, path))
        .transpose()
}
