//! Conditions as text that reads as the same condition.

use std::fmt::{self, Display, Formatter, Write as _};

use super::parse::is_plain;
use super::{Comparison, Literal, Predicate};

impl Display for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare {
                column,
                comparison,
                value,
            } => {
                name(f, column)?;
                write!(f, " {comparison} {value}")
            }
            Self::OneOf { column, values } => {
                name(f, column)?;
                f.write_str(" in (")?;
                for (place, value) in values.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_char(')')
            }
            Self::IsNull { column } => {
                name(f, column)?;
                f.write_str(" is null")
            }
            Self::And(parts) => joined(f, parts, " and ", "true"),
            Self::Or(parts) => joined(f, parts, " or ", "false"),
            Self::Not(part) => {
                f.write_str("not ")?;
                operand(f, part)
            }
        }
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "=",
            Self::Different => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        })
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(number) => number.fmt(f),
            // With a point or an exponent, which tells it from an integer.
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Text(text) => quoted(f, '\'', text),
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Predicate], word: &str, none: &str) -> fmt::Result {
    if parts.is_empty() {
        return f.write_str(none);
    }
    for (place, part) in parts.iter().enumerate() {
        f.write_str(if place == 0 { "" } else { word })?;
        operand(f, part)?;
    }
    Ok(())
}

/// Writes a condition inside another one.
fn operand(f: &mut Formatter<'_>, part: &Predicate) -> fmt::Result {
    match part {
        Predicate::And(parts) | Predicate::Or(parts) if !parts.is_empty() => write!(f, "({part})"),
        _ => part.fmt(f),
    }
}

fn name(f: &mut Formatter<'_>, column: &str) -> fmt::Result {
    if is_plain(column) {
        f.write_str(column)
    } else {
        quoted(f, '"', column)
    }
}

fn quoted(f: &mut Formatter<'_>, quote: char, text: &str) -> fmt::Result {
    f.write_char(quote)?;
    for next in text.chars() {
        if next == quote {
            f.write_char(quote)?;
        }
        f.write_char(next)?;
    }
    f.write_char(quote)
}
