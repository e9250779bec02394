//! The stored record of a prompt version; see `docs/formats/prompt.md`.

use mainstay_core::{Error, ErrorKind, Result};
use mainstay_repo::Value;
use serde::{Deserialize, Serialize};

use crate::PromptContent;

/// The kind of a prompt version's value.
const KIND: &str = "prompt.version";

/// The format this crate writes, and the newest it reads.
const FORMAT: u64 = 1;

/// What is stored, borrowed for writing.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    format: u64,
    content: &'a PromptContent,
}

impl<'a> Record<'a> {
    pub(crate) fn new(content: &'a PromptContent) -> Self {
        Self {
            format: FORMAT,
            content,
        }
    }

    pub(crate) fn into_value(self) -> Result<Value> {
        Value::new(KIND, &self)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnedRecord {
    format: u64,
    content: PromptContent,
}

/// Decodes a stored version.
///
/// # Errors
/// [`ErrorKind::Incompatible`] when a newer Mainstay wrote it, [`ErrorKind::Corrupt`] when it does
/// not fit its kind.
pub(crate) fn decode(value: &Value) -> Result<PromptContent> {
    // Before the rest is read: a newer record need not fit this version's fields.
    let format = value
        .record
        .get("format")
        .and_then(serde_json::Value::as_u64);
    if let Some(newer) = format.filter(|format| *format > FORMAT) {
        return Err(Error::new(
            ErrorKind::Incompatible,
            "the prompt was written by a newer Mainstay",
        )
        .context("format", newer));
    }
    let record: OwnedRecord = value.decode(KIND)?;
    if record.format != FORMAT {
        return Err(Error::corrupt(KIND, "unknown format").context("format", record.format));
    }
    Ok(record.content)
}
