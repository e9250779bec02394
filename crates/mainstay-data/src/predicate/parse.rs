//! Conditions out of text.

use std::str::FromStr;

use mainstay_core::{Error, Result};

use super::{Comparison, Literal, Predicate};

/// The longest condition in bytes.
const MAX_BYTES: usize = 16_384;
/// How deep parentheses and `not` nest.
const MAX_DEPTH: usize = 32;
/// How many comparisons a condition has.
const MAX_COMPARISONS: usize = 256;

/// Words that are columns only in quotes.
pub(super) const KEYWORDS: [&str; 9] = [
    "and", "between", "false", "in", "is", "not", "null", "or", "true",
];

/// Longer signs first.
const SIGNS: [(&str, Comparison); 8] = [
    ("<>", Comparison::Different),
    ("!=", Comparison::Different),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl FromStr for Predicate {
    type Err = Error;

    /// Reads a condition; see [the grammar](Self#as-text).
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) with the position of what is wrong: which character,
    /// from 1. A condition has at most 16,384 bytes and 256 comparisons, nested at most 32 deep.
    ///
    /// Complexity: linear in the length.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            let message = format!("a condition of more than {MAX_BYTES} bytes");
            return Err(Error::invalid(message));
        }
        let mut parser = Parser {
            text,
            rest: text.trim_start(),
            comparisons: 0,
            depth: 0,
        };
        let condition = parser.any()?;
        if parser.rest.is_empty() {
            Ok(condition)
        } else {
            Err(parser.unexpected("and, or, or the end"))
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    /// What was not read yet; begins with no space.
    rest: &'t str,
    comparisons: usize,
    /// How many parentheses and `not` are open.
    depth: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self) -> Result<Predicate> {
        let mut parts = vec![self.all()?];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        Ok(only(&mut parts).unwrap_or(Predicate::Or(parts)))
    }

    fn all(&mut self) -> Result<Predicate> {
        let mut parts = vec![self.term()?];
        while self.takes_word("and") {
            parts.push(self.term()?);
        }
        Ok(only(&mut parts).unwrap_or(Predicate::And(parts)))
    }

    fn term(&mut self) -> Result<Predicate> {
        let before = self.rest;
        if self.takes_word("not") {
            return Ok(!self.deeper(before, Self::term)?);
        }
        if self.takes("(") {
            let inner = self.deeper(before, Self::any)?;
            self.expects(")", "and, or, or ')'")?;
            return Ok(inner);
        }
        if self.takes_word("true") {
            return Ok(Predicate::And(Vec::new()));
        }
        if self.takes_word("false") {
            return Ok(Predicate::Or(Vec::new()));
        }
        if self.comparisons == MAX_COMPARISONS {
            return Err(self.wrong(before, &format!("more than {MAX_COMPARISONS} comparisons")));
        }
        self.comparisons += 1;
        self.comparison()
    }

    fn deeper(
        &mut self,
        place: &str,
        parse: fn(&mut Self) -> Result<Predicate>,
    ) -> Result<Predicate> {
        if self.depth == MAX_DEPTH {
            return Err(self.wrong(place, &format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn comparison(&mut self) -> Result<Predicate> {
        let column = self.column()?;
        if self.takes_word("is") {
            let negated = self.takes_word("not");
            if !self.takes_word("null") {
                return Err(self.unexpected("null"));
            }
            return Ok(negated_if(negated, Predicate::is_null(column)));
        }
        let negated = self.takes_word("not");
        let found = if self.takes_word("in") {
            Predicate::one_of(column, self.list()?)
        } else if self.takes_word("between") {
            let least = self.literal()?;
            if !self.takes_word("and") {
                return Err(self.unexpected("and"));
            }
            let within = Predicate::at_least(column.clone(), least);
            within.and(Predicate::at_most(column, self.literal()?))
        } else if negated {
            return Err(self.unexpected("in or between"));
        } else {
            let mut signs = SIGNS.iter();
            let Some((_, comparison)) = signs.find(|(sign, _)| self.takes(sign)) else {
                return Err(self.unexpected("= <> < <= > >=, in, between or is"));
            };
            Predicate::compare(column, *comparison, self.literal()?)
        };
        Ok(negated_if(negated, found))
    }

    fn column(&mut self) -> Result<String> {
        if let Some(quote @ ('"' | '`')) = self.rest.chars().next() {
            return self.quoted(quote);
        }
        let word = self.word();
        if is_plain(word) {
            self.skip(word.len());
            Ok(word.to_owned())
        } else {
            Err(self.unexpected("a column"))
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>> {
        self.expects("(", "'('")?;
        let mut values = Vec::new();
        if self.takes(")") {
            return Ok(values);
        }
        loop {
            values.push(self.literal()?);
            if self.takes(")") {
                return Ok(values);
            }
            self.expects(",", "',' or ')'")?;
        }
    }

    fn literal(&mut self) -> Result<Literal> {
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => return self.quoted(quote).map(Literal::Text),
            Some('-' | '+' | '.' | '0'..='9') => return self.number(),
            _ => {}
        }
        let word = self.word();
        let found = match word.to_ascii_lowercase().as_str() {
            "true" => Literal::Bool(true),
            "false" => Literal::Bool(false),
            "nan" => Literal::Float(f64::NAN),
            "inf" => Literal::Float(f64::INFINITY),
            _ => return Err(self.unexpected("a number, true, false or 'text'")),
        };
        self.skip(word.len());
        Ok(found)
    }

    fn number(&mut self) -> Result<Literal> {
        let mut previous = None;
        let number = run(self.rest, |next| {
            let sign = matches!(previous, None | Some('e' | 'E')) && matches!(next, '-' | '+');
            previous = Some(next);
            sign || next.is_alphanumeric() || matches!(next, '.' | '_')
        });
        let is_whole = number.strip_prefix(['-', '+']).unwrap_or(number);
        let is_whole = is_whole.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = if is_whole {
            number.parse().map(Literal::Int).ok()
        } else {
            number.parse().map(Literal::Float).ok()
        };
        let Some(parsed) = parsed else {
            return Err(self.wrong(self.rest, "not a number within 64 bits"));
        };
        self.skip(number.len());
        Ok(parsed)
    }

    /// Reads quoted text, in which the quote is written twice.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((place, next)) = chars.next() {
            if next != quote {
                text.push(next);
            } else if chars.next_if(|(_, next)| *next == quote).is_some() {
                text.push(quote);
            } else {
                self.skip(place + quote.len_utf8());
                return Ok(text);
            }
        }
        Err(self.wrong(self.rest, "the quote is not closed"))
    }

    /// What comes next of a word; empty where none begins.
    fn word(&self) -> &'t str {
        let begins = |first: char| first.is_alphabetic() || first == '_';
        if self.rest.starts_with(begins) {
            run(self.rest, in_word)
        } else {
            ""
        }
    }

    fn takes_word(&mut self, keyword: &str) -> bool {
        let word = self.word();
        let is_next = word.eq_ignore_ascii_case(keyword);
        if is_next {
            self.skip(word.len());
        }
        is_next
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_next = self.rest.starts_with(sign);
        if is_next {
            self.skip(sign.len());
        }
        is_next
    }

    fn expects(&mut self, sign: &str, expected: &str) -> Result<()> {
        if self.takes(sign) {
            Ok(())
        } else {
            Err(self.unexpected(expected))
        }
    }

    /// Goes on behind so many bytes and the spaces that follow.
    fn skip(&mut self, bytes: usize) {
        let (_, rest) = self.rest.split_at(bytes);
        self.rest = rest.trim_start();
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = match (self.word(), self.rest.chars().next()) {
            ("", None) => "the end".to_owned(),
            ("", Some(next)) => format!("{next:?}"),
            (word, _) => format!("'{word}'"),
        };
        self.wrong(self.rest, &format!("expected {expected}, found {found}"))
    }

    /// Says what is wrong where `place` begins, which is the end of the text.
    fn wrong(&self, place: &str, why: &str) -> Error {
        let position = self.text.chars().count() - place.chars().count() + 1;
        Error::invalid(format!("bad condition: {why}")).context("position", position)
    }
}

/// Reports whether a word is a column without quotes.
pub(super) fn is_plain(word: &str) -> bool {
    let begins = word.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let mut keywords = KEYWORDS.iter();
    begins
        && word.chars().all(in_word)
        && !keywords.any(|keyword| keyword.eq_ignore_ascii_case(word))
}

fn in_word(next: char) -> bool {
    next.is_alphanumeric() || matches!(next, '_' | '-' | '.')
}

/// The part of a text up to the first character that is not taken.
fn run(text: &str, mut takes: impl FnMut(char) -> bool) -> &str {
    let end = text.find(|next| !takes(next)).unwrap_or(text.len());
    text.split_at(end).0
}

fn only(parts: &mut Vec<Predicate>) -> Option<Predicate> {
    if parts.len() == 1 { parts.pop() } else { None }
}

fn negated_if(negated: bool, condition: Predicate) -> Predicate {
    if negated { !condition } else { condition }
}
