//! A change as Markdown, for an issue or a chat.

use std::fmt::Write as _;

use mainstay_core::NodeRef;

use super::{Change, Component, Event, Section, SectionLayout};

impl Change {
    /// Writes the change as Markdown: a table of the parts, the most telling first, what happened, the
    /// most telling first, and the details of each part.
    ///
    /// Text of users cannot add markup: what Markdown or HTML would take for such is escaped, or stands in
    /// a code block that it cannot end.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {} → {}\n\n", escaped(&self.a), escaped(&self.b));
        text.push_str("| part | | from | to | what |\n|---|---|---|---|---|\n");
        for part in &self.components {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                escaped(&part.slot),
                part.severity.as_str(),
                side(part.a.as_ref()),
                side(part.b.as_ref()),
                escaped(&told(part)),
            );
        }
        let events = self.ranked_events();
        if !events.is_empty() {
            text.push_str("\n| entry | time | who | why | explains |\n|---|---|---|---|---|\n");
        }
        for event in events {
            let Event { seq, time, .. } = event;
            let (actor, reason) = (escaped(&event.actor), escaped(&event.reason));
            let explains = event.explains.as_str();
            let _ = writeln!(text, "| {seq} | {time} | {actor} | {reason} | {explains} |");
        }
        if self.events_omitted > 0 {
            let _ = writeln!(
                text,
                "\nAt least {} older entries are left out.",
                self.events_omitted
            );
        }
        for part in &self.components {
            if !part.sections.is_empty() {
                let _ = writeln!(text, "\n## {}", escaped(&part.slot));
            }
            for section in &part.sections {
                text.push_str(&written(section));
            }
        }
        text
    }
}

fn written(section: &Section) -> String {
    let mut text = format!("\n{}:\n\n", escaped(&section.title));
    match section.layout {
        SectionLayout::List => {
            for line in &section.lines {
                let _ = writeln!(text, "- {}", item(line));
            }
        }
        SectionLayout::Hunks => {
            let lines = section.lines.iter();
            let lines: Vec<String> = lines
                .map(|line| line.replace(char::is_control, " "))
                .collect();
            let longest = lines.iter().map(|line| longest_run(line, '`')).max();
            let fence = "`".repeat(longest.unwrap_or(0).max(2) + 1);
            let _ = writeln!(text, "{fence}diff\n{}\n{fence}", lines.join("\n"));
        }
    }
    text
}

/// Text that begins no list within the list.
fn item(line: &str) -> String {
    let line = line.trim_start();
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if line.starts_with(['-', '+', '=', '>']) {
        format!("\\{}", escaped(&line))
    } else if digits > 0 && line[digits..].starts_with(['.', ')']) {
        format!("{}\\{}", &line[..digits], escaped(&&line[digits..]))
    } else {
        escaped(&line)
    }
}

fn longest_run(text: &str, of: char) -> usize {
    let runs = text.split(|c| c != of).map(|run| run.chars().count());
    runs.max().unwrap_or(0)
}

pub(super) fn told(part: &Component) -> String {
    if part.changed {
        part.summary.clone()
    } else {
        "unchanged".to_owned()
    }
}

fn side(node: Option<&NodeRef>) -> String {
    node.map_or_else(|| "–".to_owned(), |node| escaped(&node))
}

fn escaped(text: &impl ToString) -> String {
    let mut escaped = String::new();
    for c in text.to_string().chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '#' | '\\' | '~' | '!' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
