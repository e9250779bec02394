//! Parses queries.

use std::str::FromStr;

use mainstay_core::{Error, Result, Timestamp};
use semver::Version;

use super::query::{Attribute, Comparison, Field, Operand, Operator, Order, Query, Test};
use super::token::{Kind, Token, tokens, wrong};
use super::{MAX_QUERY_BYTES, MAX_TERMS};

impl FromStr for Query {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl Query {
    /// Parses a query; the same as [`FromStr`]. An empty one finds every version.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) naming the column, from 1, of what is
    /// wrong.
    ///
    /// # Complexity
    /// O(length); the length and the number of terms are bounded.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(Error::invalid(format!(
                "query longer than {MAX_QUERY_BYTES} bytes"
            )));
        }
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            end: text.chars().count() + 1,
        };
        let mut query = Self {
            text: text.trim().to_owned(),
            filter: Vec::new(),
            order: Vec::new(),
        };
        if parser.peek().is_some() && !parser.is_next_word("ORDER") {
            query.filter = parser.filter()?;
        }
        if parser.takes("ORDER") {
            parser.expects("BY")?;
            query.order = parser.order()?;
        }
        match parser.peek() {
            None => Ok(query),
            Some(_) => Err(parser.unexpected("AND or ORDER BY")),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// The column after the last character.
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn column(&self) -> usize {
        self.peek().map_or(self.end, |token| token.column)
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek().map(|token| &token.kind) {
            None => "the end".to_owned(),
            Some(Kind::Word { text, .. }) if text.eq_ignore_ascii_case("OR") => {
                return wrong(self.column(), "OR is not part of the language");
            }
            Some(Kind::Word { text, .. }) => format!("'{}'", text.escape_debug()),
            Some(Kind::Number(number)) => format!("{number}"),
            Some(Kind::Text(_)) => "text".to_owned(),
            Some(Kind::Operator(operator)) => format!("'{operator}'"),
            Some(Kind::Open) => "'('".to_owned(),
            Some(Kind::Close) => "')'".to_owned(),
            Some(Kind::Comma) => "','".to_owned(),
        };
        wrong(self.column(), format!("expected {expected}, found {found}"))
    }

    fn is_next_word(&self, word: &str) -> bool {
        matches!(
            self.peek(),
            Some(Token { kind: Kind::Word { text, key: None }, .. }) if text.eq_ignore_ascii_case(word)
        )
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.is_next_word(word);
        self.at += usize::from(is_next);
        is_next
    }

    fn expects(&mut self, word: &str) -> Result<()> {
        if self.takes(word) {
            Ok(())
        } else {
            Err(self.unexpected(word))
        }
    }

    fn takes_kind(&mut self, kind: &Kind) -> bool {
        let is_next = self.peek().is_some_and(|token| token.kind == *kind);
        self.at += usize::from(is_next);
        is_next
    }

    fn filter(&mut self) -> Result<Vec<Comparison>> {
        let mut filter = vec![self.comparison()?];
        while self.takes("AND") {
            if filter.len() == MAX_TERMS {
                return Err(wrong(self.column(), format!("more than {MAX_TERMS} terms")));
            }
            filter.push(self.comparison()?);
        }
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Comparison> {
        let field = self.field()?;
        let test = if self.takes("IS") {
            let not = self.takes("NOT");
            self.expects("NULL")?;
            if not { Test::IsNotNull } else { Test::IsNull }
        } else if self.takes("NOT") {
            self.expects("IN")?;
            Test::NotIn(self.list(&field)?)
        } else if self.takes("IN") {
            Test::In(self.list(&field)?)
        } else {
            let column = self.column();
            let operator = self.operator()?;
            let operand = self.operand(&field)?;
            check_operator(column, operator, &operand)?;
            Test::Compare(operator, operand)
        };
        Ok(Comparison { field, test })
    }

    fn field(&mut self) -> Result<Field> {
        let column = self.column();
        let Some(Token {
            kind: Kind::Word { text, key },
            ..
        }) = self.peek()
        else {
            return Err(self.unexpected("a name such as version or metrics.auc"));
        };
        let (kind, key) = (text.to_ascii_lowercase(), key.clone());
        let field = match (kind.as_str(), key) {
            (_, None) => Field::Attribute(attribute(&kind, column)?),
            ("attribute" | "attributes" | "attr", Some(key)) => {
                Field::Attribute(attribute(&key.to_ascii_lowercase(), column)?)
            }
            ("tag" | "tags", Some(key)) => Field::Tag(key),
            ("metric" | "metrics", Some(key)) => Field::Metric(key),
            ("param" | "params" | "parameter" | "parameters", Some(key)) => Field::Parameter(key),
            (_, Some(_)) => {
                return Err(wrong(
                    column,
                    "a key belongs to tags, metrics, params or attributes",
                ));
            }
        };
        self.at += 1;
        Ok(field)
    }

    fn operator(&mut self) -> Result<Operator> {
        let operator = match self.peek().map(|token| &token.kind) {
            Some(Kind::Operator("=")) => Operator::Equal,
            Some(Kind::Operator("!=" | "<>")) => Operator::NotEqual,
            Some(Kind::Operator("<")) => Operator::Less,
            Some(Kind::Operator("<=")) => Operator::LessOrEqual,
            Some(Kind::Operator(">")) => Operator::Greater,
            Some(Kind::Operator(">=")) => Operator::GreaterOrEqual,
            _ if self.is_next_word("LIKE") => Operator::Like,
            _ if self.is_next_word("ILIKE") => Operator::ILike,
            _ => return Err(self.unexpected("an operator")),
        };
        self.at += 1;
        Ok(operator)
    }

    fn list(&mut self, field: &Field) -> Result<Vec<Operand>> {
        if !self.takes_kind(&Kind::Open) {
            return Err(self.unexpected("'('"));
        }
        let mut operands = vec![self.operand(field)?];
        while self.takes_kind(&Kind::Comma) {
            if operands.len() == MAX_TERMS {
                return Err(wrong(
                    self.column(),
                    format!("more than {MAX_TERMS} values"),
                ));
            }
            operands.push(self.operand(field)?);
        }
        if self.takes_kind(&Kind::Close) {
            Ok(operands)
        } else {
            Err(self.unexpected("',' or ')'"))
        }
    }

    /// Reads a literal as what the field compares with.
    fn operand(&mut self, field: &Field) -> Result<Operand> {
        let column = self.column();
        let wanted = match field {
            Field::Metric(_) | Field::Attribute(Attribute::Ordinal) => "a number",
            Field::Parameter(_) | Field::Attribute(Attribute::Created) => {
                "a number or text in quotes"
            }
            _ => "text in quotes",
        };
        let operand = match (field, self.peek().map(|token| &token.kind)) {
            (
                Field::Metric(_) | Field::Parameter(_) | Field::Attribute(Attribute::Ordinal),
                Some(Kind::Number(number)),
            ) => Operand::Number(*number),
            (Field::Attribute(Attribute::Created), Some(Kind::Number(ms))) => {
                Operand::Time(from_unix_ms(*ms))
            }
            (Field::Attribute(Attribute::Created), Some(Kind::Text(text))) => Operand::Time(
                text.parse()
                    .map_err(|error| wrong(column, "not a time").with_source(error))?,
            ),
            (Field::Attribute(Attribute::Version), Some(Kind::Text(text))) => Operand::Version(
                Version::parse(text)
                    .map_err(|error| wrong(column, "not a version").with_source(error))?,
            ),
            (Field::Metric(_) | Field::Attribute(Attribute::Ordinal), Some(Kind::Text(_))) => {
                return Err(self.unexpected(wanted));
            }
            (_, Some(Kind::Text(text))) => Operand::Text(text.clone()),
            _ => return Err(self.unexpected(wanted)),
        };
        self.at += 1;
        Ok(operand)
    }

    fn order(&mut self) -> Result<Vec<Order>> {
        const MAX_KEYS: usize = 8;
        let mut order = Vec::new();
        loop {
            let column = self.column();
            let field = self.field()?;
            if let Field::Attribute(Attribute::Alias | Attribute::Data) = field {
                return Err(wrong(
                    column,
                    "a version has several of these; order by another",
                ));
            }
            let descending = self.takes("DESC");
            if !descending {
                self.takes("ASC");
            }
            order.push(Order { field, descending });
            if !self.takes_kind(&Kind::Comma) {
                return Ok(order);
            }
            if order.len() == MAX_KEYS {
                return Err(wrong(self.column(), format!("more than {MAX_KEYS} keys")));
            }
        }
    }
}

fn check_operator(column: usize, operator: Operator, operand: &Operand) -> Result<()> {
    let is_text = matches!(operand, Operand::Text(_));
    match operator {
        Operator::Like | Operator::ILike if !is_text => {
            Err(wrong(column, "LIKE compares text only"))
        }
        Operator::Equal | Operator::NotEqual | Operator::Like | Operator::ILike => Ok(()),
        _ if is_text => Err(wrong(column, "text is compared by = != LIKE ILIKE IN")),
        _ => Ok(()),
    }
}

fn attribute(name: &str, column: usize) -> Result<Attribute> {
    Ok(match name {
        "name" | "model" => Attribute::Name,
        "version" => Attribute::Version,
        "ordinal" | "version_number" => Attribute::Ordinal,
        "stage" | "current_stage" => Attribute::Stage,
        "created" | "creation_time" | "creation_timestamp" => Attribute::Created,
        "description" => Attribute::Description,
        "artifact" => Attribute::Artifact,
        "reproducibility" => Attribute::Reproducibility,
        "environment" => Attribute::Environment,
        "code" => Attribute::Code,
        "alias" | "aliases" => Attribute::Alias,
        "data" => Attribute::Data,
        "or" => return Err(wrong(column, "OR is not part of the language")),
        _ => {
            let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
            return Err(wrong(column, format!("unknown attribute '{shown}'")));
        }
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float cast saturates, and the timestamp is clamped to four-digit years"
)]
fn from_unix_ms(ms: f64) -> Timestamp {
    Timestamp::from_unix_micros((ms * 1_000.0) as i64)
}
