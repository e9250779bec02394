//! Text for people: styles, aligned columns, and lines that cannot disturb a terminal.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use mainstay::{Digest, Timestamp};

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const CAUTION: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Free text on one line: control characters are shown as escapes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'t>(pub(crate) &'t str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\n' => f.write_str(" "),
            c if c.is_control() => write!(f, "{}", c.escape_debug()),
            c => f.write_char(c),
        })
    }
}

/// One cell of a [`Table`].
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn new(text: impl fmt::Display, style: Style) -> Self {
        Self {
            text: Line(&text.to_string()).to_string(),
            style,
        }
    }

    /// The width in characters, which is that in columns for most scripts.
    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: fmt::Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, PLAIN)
    }
}

/// Rows with aligned columns.
#[derive(Debug, Clone)]
pub(crate) struct Table<const N: usize> {
    rows: Vec<[Cell; N]>,
    /// Columns whose cells stand to the right: numbers.
    right: &'static [usize],
}

impl<const N: usize> Table<N> {
    /// Creates a table with a head.
    pub(crate) fn new(head: [&'static str; N]) -> Self {
        Self {
            rows: vec![head.map(|title| Cell::new(title, BOLD))],
            right: &[],
        }
    }

    /// Lets the cells of these columns stand to the right.
    pub(crate) fn numbers_in(mut self, columns: &'static [usize]) -> Self {
        self.right = columns;
        self
    }

    pub(crate) fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    /// Writes the table; nothing when it has a head only.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.len() == 1 {
            return Ok(());
        }
        aligned(&self.rows, self.right, out)
    }
}

/// Writes rows with aligned columns; the cells of the columns `right` stand to the right.
pub(crate) fn aligned<R: AsRef<[Cell]>>(
    rows: &[R],
    right: &[usize],
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut widths = Vec::new();
    for row in rows {
        let cells = row.as_ref();
        widths.resize(cells.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.width().max(*width);
        }
    }
    rows.iter()
        .try_for_each(|row| write_row(row.as_ref(), &widths, right, out))
}

fn write_row(
    row: &[Cell],
    widths: &[usize],
    right: &[usize],
    out: &mut dyn Write,
) -> io::Result<()> {
    let last = row.iter().rposition(|cell| !cell.text.is_empty());
    let shown = row.iter().take(last.map_or(0, |last| last + 1));
    for (column, (cell, width)) in shown.zip(widths).enumerate() {
        let gap = if column == 0 { "" } else { "  " };
        let pad = " ".repeat(width - cell.width());
        let (before, after) = if right.contains(&column) {
            (pad.as_str(), "")
        } else if Some(column) == last {
            ("", "")
        } else {
            ("", pad.as_str())
        };
        let style = cell.style;
        write!(out, "{gap}{before}{style}{}{style:#}{after}", cell.text)?;
    }
    writeln!(out)
}

/// Names and values, one pair a line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, Cell)>);

impl Fields {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with(mut self, name: impl Into<String>, value: impl Into<Cell>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// Adds a value that may be absent, and leaves its line out then.
    pub(crate) fn with_some(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value.to_string()),
            None => self,
        }
    }

    /// Adds several values on one line, which is left out when there are none.
    pub(crate) fn with_all<T: fmt::Display>(
        self,
        name: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = joined(values);
        self.with_some(name, (!values.is_empty()).then_some(values))
    }

    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let widths = self.0.iter().map(|(name, _)| name.chars().count());
        let width = widths.max().unwrap_or_default();
        self.0.iter().try_for_each(|(name, Cell { text, style })| {
            let name = format!("{:width$}", Line(name).to_string());
            writeln!(out, "{DIM}{name}{DIM:#}  {style}{text}{style:#}")
        })
    }
}

/// Writes a table of files: path, size in bytes, SHA-256.
pub(crate) fn files(
    out: &mut dyn Write,
    files: impl IntoIterator<Item = (String, u64, Digest)>,
) -> io::Result<()> {
    let mut table = Table::new(["file", "size", "sha256"]).numbers_in(&[1]);
    for (path, size, digest) in files {
        table.row([
            path.into(),
            bytes(size).into(),
            Cell::new(digest.to_hex(), DIM),
        ]);
    }
    table.write(out)
}

/// Joins things with commas.
pub(crate) fn joined<T: fmt::Display>(things: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = things.into_iter().map(|thing| thing.to_string()).collect();
    texts.join(", ")
}

/// Shows a thing that may be absent; `-` when it is.
pub(crate) fn or_dash<T: fmt::Display>(thing: Option<T>) -> String {
    thing.map_or_else(|| "-".to_owned(), |thing| thing.to_string())
}

/// Shows a time to the second.
pub(crate) fn when(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{}Z", seconds.replacen('T', " ", 1)),
        None => text,
    }
}

/// Shows a number of bytes in three digits or four.
#[expect(clippy::cast_precision_loss, reason = "rounded to a few digits anyway")]
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1_000.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 999.95 {
        value /= 1_000.0;
        unit = units.next();
    }
    format!("{value:.1} {}", unit.unwrap_or(&"EB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (count, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (15_241, "15.2 kB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(count), shown);
        }
    }

    #[test]
    fn free_text_cannot_move_the_cursor_or_break_the_line() {
        assert_eq!(Line("a\u{1b}[2Jb\nc").to_string(), "a\\u{1b}[2Jb c");
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let mut table = Table::new(["name", "rows", "tags"]).numbers_in(&[1]);
        table.row(["penguins".into(), 344.into(), "v1".into()]);
        table.row(["x".into(), 9.into(), "".into()]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        let text = anstream::adapter::strip_bytes(&out).into_vec();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "name      rows  tags\npenguins   344  v1\nx            9\n"
        );
    }
}
