//! Prompt files: plain text, or the content as JSON.

use mainstay_core::{Error, Result};

use crate::PromptContent;
use crate::content::{MAX_CONTENT_BYTES, too_large};

impl PromptContent {
    /// Reads a prompt file, told apart by the ending of `file_name` in any case:
    /// `.txt` and `.md` are one text, byte for byte; `.json` is a [`PromptContent`] in JSON.
    ///
    /// A byte order mark at the beginning is dropped. Template syntax is checked by
    /// [`Compiled::new`](crate::Compiled::new).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) naming the file when it has another
    /// ending, is larger than 1 MiB, is not UTF-8, or is not such JSON; then with line and column.
    /// Unknown and repeated members are refused.
    pub fn from_file_bytes(file_name: &str, bytes: &[u8]) -> Result<Self> {
        let read = || {
            if bytes.len() > MAX_CONTENT_BYTES {
                return Err(too_large(bytes.len()));
            }
            let text = std::str::from_utf8(bytes).map_err(|error| {
                Error::invalid("the prompt is not UTF-8")
                    .context("byte", error.valid_up_to())
                    .with_source(error)
            })?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            let ending = file_name.rsplit_once('.').map(|(_, ending)| ending);
            match ending.unwrap_or_default().to_ascii_lowercase().as_str() {
                "txt" | "md" => Ok(Self::text(text)),
                "json" => serde_json::from_str(text).map_err(|error| {
                    Error::invalid("not a prompt in JSON")
                        .context("line", error.line())
                        .context("column", error.column())
                        .with_source(error)
                }),
                _ => Err(Error::invalid(
                    "unknown kind of prompt file; expected .txt, .md or .json",
                )),
            }
        };
        read().map_err(|error| error.context("file", file_name.escape_debug()))
    }
}
