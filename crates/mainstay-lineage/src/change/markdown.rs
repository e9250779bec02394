//! A change as Markdown, for an issue or a chat.

use std::fmt::Write as _;

use mainstay_core::NodeRef;

use super::{Change, Component, Event};

impl Change {
    /// Writes the change as Markdown: a table of the parts, the most telling first, and what happened, the
    /// most telling first.
    ///
    /// Text of users cannot add markup: what Markdown or HTML would take for such is escaped.
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
        text
    }
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
