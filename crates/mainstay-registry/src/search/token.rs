//! Cuts a query into tokens.

use mainstay_core::{Error, Result};

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// The column of its first character, from 1.
    pub(super) column: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A keyword, an attribute, or a path `kind.key` with its key.
    Word {
        text: String,
        key: Option<String>,
    },
    Number(f64),
    Text(String),
    Operator(&'static str),
    Open,
    Close,
    Comma,
}

/// Cuts `query` into tokens.
pub(super) fn tokens(query: &str) -> Result<Vec<Token>> {
    let mut cutter = Cutter {
        chars: query.chars().collect(),
        at: 0,
    };
    let mut tokens = Vec::new();
    loop {
        while cutter.peek().is_some_and(char::is_whitespace) {
            cutter.at += 1;
        }
        let column = cutter.at + 1;
        match cutter.peek() {
            None => return Ok(tokens),
            Some(first) => tokens.push(Token {
                column,
                kind: cutter.token(first)?,
            }),
        }
    }
}

pub(super) fn wrong(column: usize, why: impl Into<String>) -> Error {
    Error::invalid(format!("bad query: {}", why.into())).context("column", column)
}

struct Cutter {
    chars: Vec<char>,
    at: usize,
}

impl Cutter {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn token(&mut self, first: char) -> Result<Kind> {
        match first {
            '(' => Ok(self.single(Kind::Open)),
            ')' => Ok(self.single(Kind::Close)),
            ',' => Ok(self.single(Kind::Comma)),
            '\'' | '"' => self.quoted(first).map(Kind::Text),
            '=' | '!' | '<' | '>' => self.operator(),
            '-' | '+' | '.' | '0'..='9' => self.number(),
            first if first.is_alphabetic() || first == '_' => self.word(),
            _ => Err(wrong(self.at + 1, format!("unexpected {first:?}"))),
        }
    }

    fn single(&mut self, kind: Kind) -> Kind {
        self.at += 1;
        kind
    }

    fn operator(&mut self) -> Result<Kind> {
        let rest: String = self.chars.iter().skip(self.at).take(2).collect();
        let known = ["!=", "<>", "<=", ">=", "=", "<", ">"];
        let found = known
            .into_iter()
            .find(|operator| rest.starts_with(operator));
        let operator = found.ok_or_else(|| wrong(self.at + 1, "expected an operator"))?;
        self.at += operator.len();
        Ok(Kind::Operator(operator))
    }

    fn number(&mut self) -> Result<Kind> {
        let column = self.at + 1;
        let mut text = String::new();
        while let Some(next) = self.peek() {
            let sign_of_exponent = matches!(next, '-' | '+') && text.ends_with(['e', 'E']);
            let sign = text.is_empty() || sign_of_exponent;
            if !(next.is_alphanumeric() || matches!(next, '.' | '_') || sign) {
                break;
            }
            text.push(next);
            self.at += 1;
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Kind::Number(number)),
            _ => Err(wrong(column, "not a number; text stands in quotes")),
        }
    }

    /// Reads a word; one that ends with `.` takes the rest of its key from the quotes that follow.
    fn word(&mut self) -> Result<Kind> {
        let mut text = String::new();
        while let Some(next) = self.peek() {
            if !(next.is_alphanumeric() || matches!(next, '_' | '-' | '.')) {
                break;
            }
            text.push(next);
            self.at += 1;
        }
        match (text.split_once('.'), self.peek()) {
            (None, _) => Ok(Kind::Word { text, key: None }),
            (Some((kind, begun)), Some(quote @ ('`' | '"')))
                if begun.is_empty() || begun.ends_with('.') =>
            {
                Ok(Kind::Word {
                    text: kind.to_owned(),
                    key: Some(begun.to_owned() + &self.quoted(quote)?),
                })
            }
            (Some((_, "")), _) => Err(wrong(self.at + 1, "expected a key after the dot")),
            (Some((kind, key)), _) => Ok(Kind::Word {
                text: kind.to_owned(),
                key: Some(key.to_owned()),
            }),
        }
    }

    /// Reads quoted text; the quote itself is written twice inside.
    fn quoted(&mut self, quote: char) -> Result<String> {
        let column = self.at + 1;
        self.at += 1;
        let mut text = String::new();
        loop {
            let next = self.peek();
            self.at += 1;
            match next {
                Some(next) if next != quote => text.push(next),
                Some(_) if self.peek() == Some(quote) => {
                    text.push(quote);
                    self.at += 1;
                }
                Some(_) => return Ok(text),
                None => return Err(wrong(column, "the quote is not closed")),
            }
        }
    }
}
