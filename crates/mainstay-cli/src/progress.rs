//! How far a long command has come: one line of a terminal, written over and over.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use mainstay::Progress;

use crate::text::bytes;

/// What is shown, in this order, and how much more of it is worth writing the line again.
const UNITS: [(&str, u64); 8] = [
    ("bytes", 8_000_000),
    ("rows", 100_000),
    ("parts", 8),
    ("files", 100),
    ("entries", 1),
    ("packs", 1),
    ("blobs", 100),
    ("objects", 100),
];
/// To the first column, and nothing behind the cursor.
const CLEAR: &str = "\r\u{1b}[K";

/// Writes to a terminal what it is told, and takes that away when it is dropped.
pub(crate) struct ProgressLine<W: Write>(Mutex<Line<W>>);

struct Line<W: Write> {
    out: W,
    counts: [Count; UNITS.len()],
}

#[derive(Default)]
struct Count {
    done: u64,
    total: Option<u64>,
    /// How many were done when the line was last written because of them.
    shown: u64,
}

impl<W: Write> ProgressLine<W> {
    pub(crate) fn new(out: W) -> Self {
        let counts = UNITS.map(|_| Count::default());
        Self(Mutex::new(Line { out, counts }))
    }
}

impl<W: Write> Line<W> {
    fn write(&mut self) {
        let counts = UNITS.iter().zip(&self.counts);
        let told = counts.filter(|(_, count)| count.done > 0);
        let told = told.map(|((unit, _), count)| match count.total {
            _ if *unit == "bytes" => bytes(count.done),
            Some(total) => format!("{} of {total} {unit}", count.done),
            None => format!("{} {unit}", count.done),
        });
        let told: Vec<String> = told.collect();
        self.put(&format!("{CLEAR}{}", told.join(", ")));
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
        let Some(at) = UNITS.iter().position(|(known, _)| *known == unit) else {
            return;
        };
        let count = &mut line.counts[at];
        (count.done, count.total) = (done, total);
        if done.saturating_sub(count.shown) >= UNITS[at].1 {
            count.shown = done;
            line.write();
        }
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
        line.advance("files", 1, Some(7));
        line.advance("crates", 1, None);
        line.advance("entries", 2, Some(5));
        drop(line);
        let written = String::from_utf8(written).unwrap();
        let lines: Vec<&str> = written.split(CLEAR).collect();
        let shown = ["8.0 MB", "10.0 MB, 1 of 7 files, 2 of 5 entries"];
        assert_eq!(lines, ["", shown[0], shown[1], ""]);
    }
}
