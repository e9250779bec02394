//! The stored record of a prompt version; see `docs/formats/prompt.md`.

use mainstay_core::Result;
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
    #[expect(dead_code, reason = "checked before the record is read")]
    format: u64,
    content: PromptContent,
}

/// Decodes a stored version.
///
/// # Errors
/// [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote it, [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when it does
/// not fit its kind.
pub(crate) fn decode(value: &Value) -> Result<PromptContent> {
    value.check_format(KIND, FORMAT)?;
    let record: OwnedRecord = value.decode(KIND)?;
    Ok(record.content)
}
