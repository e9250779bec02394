//! Free text as Markdown that shows it and nothing else.
//!
//! What could begin markup, of [CommonMark](https://spec.commonmark.org/0.31.2/) or of the extensions that
//! renderers have, is escaped; a control character or one that turns the direction of text around is shown
//! as U+FFFD.

use std::fmt::Write as _;

/// The most characters of a cell of a table.
const MAX_CELL: usize = 1_000;

/// Shows text on one line, its white space as single spaces.
pub(super) fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().fold(String::new(), escape)
}

/// Shows text in a cell of a table, at most 1,000 characters of it.
pub(super) fn cell(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL) {
        None => line(text),
        Some((end, _)) => {
            let more = text[end..].chars().count();
            format!("{} … ({more} more characters)", line(&text[..end]))
        }
    }
}

/// Shows text in paragraphs, which empty lines divide; empty when there is nothing but white space.
pub(super) fn paragraphs(text: &str) -> String {
    let mut shown = String::new();
    let mut gap = "";
    for text in text.lines() {
        let line = line(text);
        if line.is_empty() {
            gap = if shown.is_empty() { "" } else { "\n\n" };
            continue;
        }
        shown.push_str(gap);
        begin(&line, &mut shown);
        gap = "\n";
    }
    shown
}

/// Writes a line, and escapes what has a meaning at its beginning only.
fn begin(line: &str, shown: &mut String) {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let after = line.as_bytes().get(digits);
    let at = match after {
        Some(b'.' | b')') if digits > 0 => digits,
        Some(b'#' | b'+' | b'-' | b'=' | b':') if digits == 0 => 0,
        _ => {
            shown.push_str(line);
            return;
        }
    };
    shown.push_str(&line[..at]);
    shown.push('\\');
    shown.push_str(&line[at..]);
}

fn escape(mut shown: String, c: char) -> String {
    match c {
        '<' => shown.push_str("&lt;"),
        '>' => shown.push_str("&gt;"),
        '&' => shown.push_str("&amp;"),
        // A backslash before it does not mean the same to every reader of tables.
        '|' => shown.push_str("&#124;"),
        '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '^' | '$' | '{' | '}' => {
            shown.extend(['\\', c]);
        }
        c if misleads(c) => shown.push(char::REPLACEMENT_CHARACTER),
        c => shown.push(c),
    }
    shown
}

/// Reports whether a character moves, hides or turns around what stands beside it.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Shows a name, a digest, a path or JSON as code, and as a cell what has none or is too long.
pub(super) fn code(name: &impl ToString) -> String {
    let name = name.to_string();
    let short = !name.is_empty() && name.len() <= MAX_CELL && name.trim() == name;
    if short && !name.chars().any(|c| misleads(c) || matches!(c, '`' | '|')) {
        format!("`{name}`")
    } else {
        cell(&name)
    }
}

/// Writes text as a double-quoted scalar of YAML, which is a string of JSON too.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        let printable =
            !misleads(c) && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if printable => quoted.push(c),
            c => {
                let written = write!(quoted, "\\u{:04x}", u32::from(c));
                debug_assert!(written.is_ok(), "a string takes everything");
            }
        }
    }
    quoted.push('"');
    quoted
}
