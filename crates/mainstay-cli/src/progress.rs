//! How far a long command has come: one line of a terminal, written over and over.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use mainstay::Progress;

use crate::text::bytes;

/// So many bytes are worth writing the line again.
const STEP_BYTES: u64 = 8_000_000;
/// To the first column, and nothing behind the cursor.
const CLEAR: &str = "\r\u{1b}[K";

/// Writes to a terminal what it is told, and takes that away when it is dropped.
pub(crate) struct ProgressLine<W: Write>(Mutex<Line<W>>);

struct Line<W: Write> {
    out: W,
    entries: Option<(u64, Option<u64>)>,
    bytes: u64,
    /// The bytes when it was last written.
    shown_bytes: u64,
}

impl<W: Write> ProgressLine<W> {
    pub(crate) fn new(out: W) -> Self {
        Self(Mutex::new(Line {
            out,
            entries: None,
            bytes: 0,
            shown_bytes: 0,
        }))
    }
}

impl<W: Write> Line<W> {
    fn write(&mut self) {
        self.shown_bytes = self.bytes;
        let read = bytes(self.bytes);
        let entries = match self.entries {
            Some((done, Some(total))) => format!(", {done} of {total} entries"),
            Some((done, None)) => format!(", {done} entries"),
            None => String::new(),
        };
        self.put(&format!("{CLEAR}{read} copied{entries}"));
    }

    fn put(&mut self, text: &str) {
        // The command goes on without a terminal.
        drop(self.out.write_all(text.as_bytes()));
        drop(self.out.flush());
    }
}

impl<W: Write + Send> Progress for ProgressLine<W> {
    fn advance(&self, unit: &'static str, done: u64, total: Option<u64>) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match unit {
            "entries" => line.entries = Some((done, total)),
            "bytes" => {
                line.bytes = done;
                if done.saturating_sub(line.shown_bytes) < STEP_BYTES {
                    return;
                }
            }
            _ => return,
        }
        line.write();
    }
}

impl<W: Write> Drop for ProgressLine<W> {
    fn drop(&mut self) {
        let line = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        line.put(CLEAR);
    }
}

impl<W: Write> fmt::Debug for ProgressLine<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressLine")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_over_at_each_entry_and_every_few_megabytes_and_taken_away() {
        let mut written = Vec::new();
        let line = ProgressLine::new(&mut written);
        for done in 1..=100 {
            line.advance("bytes", done * 100_000, None);
        }
        line.advance("entries", 2, Some(5));
        line.advance("files", 1, None);
        drop(line);
        let written = String::from_utf8(written).unwrap();
        let lines: Vec<&str> = written.split(CLEAR).collect();
        let shown = ["8.0 MB copied", "10.0 MB copied, 2 of 5 entries"];
        assert_eq!(lines, ["", shown[0], shown[1], ""]);
    }
}
