//! The `vars` dialect: literal text and `{{variable}}`, parsed once.
//!
//! A run of `n` opening braces, `n >= 2`, is read from its left in fours and its rest in this way:
//!
//! ```text
//! {{      opens a placeholder
//! {{{     is the text { and opens a placeholder
//! {{{{    is the text {{
//! ```
//!
//! A single `{` and any number of `}` outside a placeholder are text, so JSON needs no escapes.

use std::fmt;

#[cfg(test)]
mod tests;

/// The longest variable name in bytes.
const MAX_VARIABLE_BYTES: usize = 128;

/// A parsed template: literals and the variables between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// Every literal, one after another.
    literals: Box<str>,
    segments: Box<[Segment]>,
}

/// A literal up to `literal_end`, then a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    literal_end: usize,
    variable: usize,
}

/// Why a text is not a template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Which chat message, from 1; `None` for a text prompt.
    pub message: Option<usize>,
    /// The line of the opening braces, from 1.
    pub line: usize,
    /// The column of the opening braces in characters, from 1.
    pub column: usize,
}

/// What is wrong with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// No `}}` closes the placeholder on its line.
    Unclosed,
    /// The placeholder holds something else than a variable name.
    BadVariable,
    /// The variable name is longer than 128 bytes.
    LongVariable,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(message) = self.message {
            write!(f, "message {message}, ")?;
        }
        let why = match self.kind {
            ParseErrorKind::Unclosed => "{{ is not closed by }} on its line",
            ParseErrorKind::BadVariable => {
                "{{ }} holds no variable name ([A-Za-z_][A-Za-z0-9_.-]*)"
            }
            ParseErrorKind::LongVariable => "variable name longer than 128 bytes",
        };
        write!(
            f,
            "line {}, column {}: {why}; write {{{{{{{{ for the text {{{{",
            self.line, self.column
        )
    }
}

impl std::error::Error for ParseError {}

impl From<ParseError> for mainstay_core::Error {
    /// An [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) error that names line and column.
    fn from(error: ParseError) -> Self {
        Self::invalid(format!("not a template: {error}")).with_source(error)
    }
}

/// Reports whether `name` may name a variable.
pub(crate) fn is_variable(name: &str) -> bool {
    let [first, rest @ ..] = name.as_bytes() else {
        return false;
    };
    let begins = first.is_ascii_alphabetic() || *first == b'_';
    begins
        && name.len() <= MAX_VARIABLE_BYTES
        && rest
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

impl Template {
    /// Parses `text`; `intern` turns a variable's name into its index.
    ///
    /// Complexity: O(length of `text`), beside the calls of `intern`.
    pub(crate) fn parse(
        text: &str,
        mut intern: impl FnMut(&str) -> usize,
    ) -> Result<Self, ParseError> {
        let mut literals = String::with_capacity(text.len());
        let mut segments = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            literals.push_str(&rest[..at]);
            rest = &rest[at..];
            let run = rest.bytes().take_while(|byte| *byte == b'{').count();
            for _ in 0..run / 4 {
                literals.push_str("{{");
            }
            if run % 2 == 1 {
                literals.push('{');
            }
            let opens = run % 4 >= 2;
            rest = &rest[run - if opens { 2 } else { 0 }..];
            if !opens {
                continue;
            }
            let opened = text.len() - rest.len();
            let (name, after) =
                placeholder(rest).map_err(|kind| ParseError::at(kind, &text[..opened]))?;
            segments.push(Segment {
                literal_end: literals.len(),
                variable: intern(name),
            });
            rest = after;
        }
        literals.push_str(rest);
        Ok(Self {
            literals: literals.into(),
            segments: segments.into(),
        })
    }

    /// Replaces variable indexes after sorting: `order[old]` is the new one.
    pub(crate) fn renumber(&mut self, order: &[usize]) {
        for segment in &mut self.segments {
            segment.variable = order[segment.variable];
        }
    }

    /// Returns the length of the output in bytes; `None` when it exceeds `usize`.
    pub(crate) fn rendered_bytes(&self, length_of: impl Fn(usize) -> usize) -> Option<usize> {
        self.segments
            .iter()
            .try_fold(self.literals.len(), |total, segment| {
                total.checked_add(length_of(segment.variable))
            })
    }

    /// Appends the output to `out`: literals and values in turn, each copied once.
    pub(crate) fn render_into<'v>(&self, out: &mut String, value_of: impl Fn(usize) -> &'v str) {
        let mut from = 0;
        for segment in &self.segments {
            out.push_str(&self.literals[from..segment.literal_end]);
            out.push_str(value_of(segment.variable));
            from = segment.literal_end;
        }
        out.push_str(&self.literals[from..]);
    }
}

/// Splits a text that begins with `{{` into the variable's name and what follows `}}`.
fn placeholder(text: &str) -> Result<(&str, &str), ParseErrorKind> {
    let inner = &text[2..];
    let end = inner.find("}}").ok_or(ParseErrorKind::Unclosed)?;
    if inner[..end].contains('\n') {
        return Err(ParseErrorKind::Unclosed);
    }
    let name = inner[..end].trim_matches([' ', '\t']);
    if is_variable(name) {
        Ok((name, &inner[end + 2..]))
    } else if name.len() > MAX_VARIABLE_BYTES {
        Err(ParseErrorKind::LongVariable)
    } else {
        Err(ParseErrorKind::BadVariable)
    }
}

impl ParseError {
    fn at(kind: ParseErrorKind, before: &str) -> Self {
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            kind,
            message: None,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}
