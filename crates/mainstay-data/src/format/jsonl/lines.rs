//! The lines of a JSON lines file, with a bound on their size.

use std::io::{BufRead as _, BufReader, Read as _};

use mainstay_core::{Error, Result};

use crate::source::{Source, SourceReader};

/// The longest line.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the lines that are not blank.
pub(super) struct Lines {
    reader: BufReader<SourceReader>,
    buffer: Vec<u8>,
    line: u64,
}

impl Lines {
    pub(super) fn open(source: &Source) -> Self {
        Self {
            reader: BufReader::with_capacity(64 * 1024, source.reader()),
            buffer: Vec::new(),
            line: 0,
        }
    }

    /// Reads the next line that is not blank and calls `take` with it; `None` at the end.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) naming the line when it is too long or not UTF-8;
    /// those of `take`, with the line.
    pub(super) fn next<T>(&mut self, take: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let most = MAX_LINE_BYTES as u64 + 1;
            (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|error| Error::invalid("cannot read the file").with_source(error))?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let line = self.line;
            let named = |error: Error| error.context("line", line);
            let text = text_of(&self.buffer, line).map_err(named)?;
            if !text.is_empty() {
                return take(text).map(Some).map_err(named);
            }
        }
    }
}

fn text_of(bytes: &[u8], line: u64) -> Result<&str> {
    if bytes.len() > MAX_LINE_BYTES {
        return Err(Error::invalid("a line of more than 64 MiB"));
    }
    let bytes = match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) if line == 1 => rest,
        _ => bytes,
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Error::invalid("JSON is not UTF-8").with_source(error))?;
    Ok(text.trim_matches([' ', '\t', '\r', '\n']))
}
