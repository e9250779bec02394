//! Printing for a person; colour only on a terminal.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

const TITLE: Style = AnsiColor::Cyan.on_default().bold();
const NAME: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints a line.
macro_rules! tell {
    ($($argument:tt)*) => {
        anstream::println!($($argument)*)
    };
}
pub(crate) use tell;

pub(crate) fn chapter(number: u32, title: &str) {
    tell!("\n{TITLE}{number}  {title}{TITLE:#}");
}

pub(crate) fn name(thing: impl Display) -> String {
    format!("{NAME}{thing}{NAME:#}")
}

pub(crate) fn good(text: &str) -> String {
    format!("{GOOD}{text}{GOOD:#}")
}

pub(crate) fn bad(text: &str) -> String {
    format!("{BAD}{text}{BAD:#}")
}

/// Shortens a digest for the eye.
pub(crate) fn short(digest: impl Display) -> String {
    digest
        .to_string()
        .chars()
        .take("sha256:".len() + 12)
        .collect()
}

pub(crate) fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}
