//! The lines of a JSON lines file, with a bound on their size.

use std::io::{BufRead as _, BufReader, Read as _};

use mainstay_core::{Error, Result};

use crate::source::{Source, SourceReader};

/// The longest line.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// How much of blank lines is kept with the line behind them.
const MAX_BLANK_BYTES: usize = 4096;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What may be around a line.
const BLANK: [u8; 4] = *b" \t\r\n";

/// Reads the lines that are not blank.
pub(super) struct Lines {
    reader: BufReader<SourceReader>,
    buffer: Vec<u8>,
    line: u64,
}

/// A line that is not blank, with the blank lines before it and its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'l> {
    pub(super) before: &'l str,
    pub(super) text: &'l str,
    pub(super) end: &'l str,
}

impl<'l> Line<'l> {
    pub(super) fn of(whole: &'l str) -> Self {
        let blank = BLANK.map(char::from);
        let text = whole.trim_start_matches(blank);
        let (before, text) = whole.split_at(whole.len() - text.len());
        let (text, end) = text.split_at(text.trim_end_matches(blank).len());
        Self { before, text, end }
    }
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
        self.find(false, |whole| take(Line::of(whole).text))
    }

    /// The same, with its end and the blank lines before it unless these are long.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(super) fn next_whole<T>(
        &mut self,
        take: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        self.find(true, take)
    }

    fn find<T>(
        &mut self,
        keeps_blank: bool,
        take: impl FnOnce(&str) -> Result<T>,
    ) -> Result<Option<T>> {
        self.buffer.clear();
        loop {
            let start = self.buffer.len();
            let most = MAX_LINE_BYTES as u64 + 1;
            let read = (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|error| Error::invalid("cannot read the file").with_source(error))?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            let line = self.line;
            let named = |error: Error| error.context("line", line);
            if read > MAX_LINE_BYTES {
                return Err(named(Error::invalid("a line of more than 64 MiB")));
            }
            if line == 1 && self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
            }
            if !self.buffer[start..].iter().all(|byte| BLANK.contains(byte)) {
                let whole = std::str::from_utf8(&self.buffer).map_err(|error| {
                    named(Error::invalid("JSON is not UTF-8").with_source(error))
                })?;
                return take(whole).map(Some).map_err(named);
            }
            if !keeps_blank || self.buffer.len() > MAX_BLANK_BYTES {
                self.buffer.clear();
            }
        }
    }
}
