//! Parses queries.

use std::str::FromStr;

use mainstay_core::{Error, NodeKind, Result};

use super::MAX_DEPTH;
use super::exists::of_thing;
use super::names::{attribute, of_run, run_field};
use super::operand::check_operator;
use super::query::{Comparison, Expr, Field, Moment, Operand, Operator, Order, Query, Test};
use super::token::{Kind, Token, tokens, wrong};
use super::{MAX_QUERY_BYTES, MAX_TERMS};
use crate::record::Relation;

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
        Self::parse_about(text, None)
    }

    /// Parses a query about things of a kind; about models unless there is one.
    pub(super) fn parse_about(text: &str, thing: Option<NodeKind>) -> Result<Self> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(Error::invalid(format!(
                "query longer than {MAX_QUERY_BYTES} bytes"
            )));
        }
        let mut parser = Parser {
            tokens: tokens(text)?,
            at: 0,
            end: text.chars().count() + 1,
            terms: 0,
            depth: 0,
            thing,
        };
        let mut query = Self::default();
        let begins_filter =
            |parser: &Parser| !parser.is_next_word("ORDER") && !parser.is_next_word("AS");
        if parser.peek().is_some() && begins_filter(&parser) {
            query.filter = Some(parser.any()?);
        }
        if parser.takes("ORDER") {
            parser.expects("BY")?;
            query.order = parser.order()?;
        }
        if parser.takes("AS") {
            parser.expects("OF")?;
            query.at = Some(parser.moment()?);
        }
        match parser.peek() {
            None => Ok(query),
            Some(_) => Err(parser.unexpected("AND, OR, ORDER BY or AS OF")),
        }
    }
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    pub(super) at: usize,
    /// The column after the last character.
    end: usize,
    /// How many comparisons were read.
    terms: usize,
    /// How many parentheses, NOT and WHERE are open.
    depth: usize,
    /// The kind that the innermost WHERE, or else the query, is about; models unless there is one.
    pub(super) thing: Option<NodeKind>,
}

impl Parser {
    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn column(&self) -> usize {
        self.peek().map_or(self.end, |token| token.column)
    }

    pub(super) fn unexpected(&self, expected: &str) -> Error {
        let found = match self.peek().map(|token| &token.kind) {
            None => "the end".to_owned(),
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

    pub(super) fn takes(&mut self, word: &str) -> bool {
        let is_next = self.is_next_word(word);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn expects(&mut self, word: &str) -> Result<()> {
        if self.takes(word) {
            Ok(())
        } else {
            Err(self.unexpected(word))
        }
    }

    pub(super) fn takes_kind(&mut self, kind: &Kind) -> bool {
        let is_next = self.peek().is_some_and(|token| token.kind == *kind);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn any(&mut self) -> Result<Expr> {
        let mut any = vec![self.all()?];
        while self.takes("OR") {
            any.push(self.all()?);
        }
        Ok(match any.len() {
            1 => any.remove(0),
            _ => Expr::Any(any),
        })
    }

    fn all(&mut self) -> Result<Expr> {
        let mut all = vec![self.term()?];
        while self.takes("AND") {
            all.push(self.term()?);
        }
        Ok(match all.len() {
            1 => all.remove(0),
            _ => Expr::All(all),
        })
    }

    fn term(&mut self) -> Result<Expr> {
        let column = self.column();
        if self.takes("NOT") {
            let negated = self.deeper(column, Self::term)?;
            return Ok(Expr::Not(Box::new(negated)));
        }
        if self.takes_kind(&Kind::Open) {
            let inner = self.deeper(column, Self::any)?;
            return if self.takes_kind(&Kind::Close) {
                Ok(inner)
            } else {
                Err(self.unexpected("AND, OR or ')'"))
            };
        }
        if self.terms == MAX_TERMS {
            return Err(wrong(column, format!("more than {MAX_TERMS} terms")));
        }
        self.terms += 1;
        if self.takes("EXISTS") {
            return self.exists().map(Expr::Exists);
        }
        self.comparison().map(Expr::Is)
    }

    pub(super) fn deeper(
        &mut self,
        column: usize,
        parse: impl FnOnce(&mut Self) -> Result<Expr>,
    ) -> Result<Expr> {
        if self.depth == MAX_DEPTH {
            return Err(wrong(column, format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn comparison(&mut self) -> Result<Comparison> {
        let field = self.field()?;
        let test = self.test(&field)?;
        Ok(Comparison { field, test })
    }

    fn test(&mut self, field: &Field) -> Result<Test> {
        if self.takes("IS") {
            let not = self.takes("NOT");
            self.expects("NULL")?;
            return Ok(if not { Test::IsNotNull } else { Test::IsNull });
        }
        let column = self.column();
        let not = self.takes("NOT");
        if self.takes("IN") {
            let list = self.list(field)?;
            return Ok(if not {
                Test::NotIn(list)
            } else {
                Test::In(list)
            });
        }
        if self.takes("BETWEEN") {
            let (from, to) = self.bounds(column, field)?;
            return Ok(if not {
                Test::NotBetween(from, to)
            } else {
                Test::Between(from, to)
            });
        }
        let operator = self.operator(not)?;
        let operand = self.operand(field, operator)?;
        check_operator(column, operator, &operand)?;
        Ok(Test::Compare(operator, operand))
    }

    fn bounds(&mut self, column: usize, field: &Field) -> Result<(Operand, Operand)> {
        let bound = |parser: &mut Self| {
            let operand = parser.operand(field, Operator::LessOrEqual)?;
            check_operator(column, Operator::LessOrEqual, &operand)?;
            Ok::<_, Error>(operand)
        };
        let from = bound(self)?;
        self.expects("AND")?;
        Ok((from, bound(self)?))
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
            (_, None) => self.attribute(&kind, column)?,
            ("attribute" | "attributes" | "attr" | "run", Some(key)) => {
                self.attribute(&key.to_ascii_lowercase(), column)?
            }
            ("tag" | "tags", Some(key)) => Field::Tag(key),
            ("metric" | "metrics", Some(key)) => Field::Metric(key),
            ("param" | "params" | "parameter" | "parameters", Some(key)) => Field::Parameter(key),
            ("seed" | "seeds", Some(key)) => Field::Seed(key),
            ("gate" | "gates", Some(key)) => Field::Gate(key),
            ("dataset" | "datasets", Some(key)) => Field::Dataset(key),
            ("digest" | "digests", Some(key)) => Field::Digest(key),
            ("parent" | "parents", Some(key)) => Field::Parent(relation(&key, column)?),
            ("alias" | "aliases", Some(key)) => Field::Alias(key),
            ("stage", Some(key)) => Field::Stage(key),
            ("eval" | "evals", Some(key)) if key.contains('.') => Field::Eval(key),
            ("eval" | "evals", Some(_)) => {
                return Err(wrong(column, "write eval.EVALUATION.METRIC"));
            }
            ("signature", Some(key)) => match key.split_once('.') {
                Some(("inputs", name)) => Field::Input(name.to_owned()),
                Some(("outputs", name)) => Field::Output(name.to_owned()),
                _ => {
                    return Err(wrong(
                        column,
                        "write signature.inputs.NAME or signature.outputs.NAME",
                    ));
                }
            },
            (_, Some(_)) => {
                return Err(wrong(
                    column,
                    "a key belongs to tags, metrics, params, seeds, attributes, datasets, digests, parents, \
                     gates, alias, stage, eval or signature",
                ));
            }
        };
        let field = match self.thing {
            None | Some(NodeKind::Model) => field,
            Some(NodeKind::Run) => of_run(field, column)?,
            Some(kind) => of_thing(field, kind, column)?,
        };
        self.at += 1;
        Ok(field)
    }

    fn attribute(&self, name: &str, column: usize) -> Result<Field> {
        match self.thing {
            Some(NodeKind::Run) => run_field(name, column),
            _ => attribute(name, column).map(Field::Attribute),
        }
    }

    fn operator(&mut self, not: bool) -> Result<Operator> {
        let operator = match self.peek().map(|token| &token.kind) {
            _ if not && self.is_next_word("LIKE") => Operator::NotLike,
            _ if not && self.is_next_word("ILIKE") => Operator::NotILike,
            _ if not && self.is_next_word("RLIKE") => Operator::NotRLike,
            _ if not => return Err(self.unexpected("IN, BETWEEN, LIKE, ILIKE or RLIKE")),
            Some(Kind::Operator("=")) => Operator::Equal,
            Some(Kind::Operator("!=" | "<>")) => Operator::NotEqual,
            Some(Kind::Operator("<")) => Operator::Less,
            Some(Kind::Operator("<=")) => Operator::LessOrEqual,
            Some(Kind::Operator(">")) => Operator::Greater,
            Some(Kind::Operator(">=")) => Operator::GreaterOrEqual,
            _ if self.is_next_word("LIKE") => Operator::Like,
            _ if self.is_next_word("ILIKE") => Operator::ILike,
            _ if self.is_next_word("RLIKE") => Operator::RLike,
            _ if self.is_next_word("CONTAINS") => Operator::Contains,
            _ if self.is_next_word("SATISFIES") => Operator::Satisfies,
            _ => return Err(self.unexpected("an operator")),
        };
        self.at += 1;
        Ok(operator)
    }

    fn list(&mut self, field: &Field) -> Result<Vec<Operand>> {
        if !self.takes_kind(&Kind::Open) {
            return Err(self.unexpected("'('"));
        }
        let mut operands = vec![self.operand(field, Operator::Equal)?];
        while self.takes_kind(&Kind::Comma) {
            if operands.len() == MAX_TERMS {
                return Err(wrong(
                    self.column(),
                    format!("more than {MAX_TERMS} values"),
                ));
            }
            operands.push(self.operand(field, Operator::Equal)?);
        }
        if self.takes_kind(&Kind::Close) {
            Ok(operands)
        } else {
            Err(self.unexpected("',' or ')'"))
        }
    }

    fn moment(&mut self) -> Result<Moment> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number below 2^53"
        )]
        let moment = match self.peek().map(|token| &token.kind) {
            Some(Kind::Number(seq)) if *seq >= 0.0 && *seq < 9e15 && seq.fract() == 0.0 => {
                Moment::Seq(*seq as u64)
            }
            Some(Kind::Text(text)) => match text.parse() {
                Ok(time) => Moment::Time(time),
                Err(error) => return Err(wrong(self.column(), "not a time").with_source(error)),
            },
            _ => return Err(self.unexpected("an entry of the log or a time in quotes")),
        };
        self.at += 1;
        Ok(moment)
    }

    fn order(&mut self) -> Result<Vec<Order>> {
        const MAX_KEYS: usize = 8;
        let mut order = Vec::new();
        loop {
            let column = self.column();
            let field = self.field()?;
            if field.is_several() {
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

fn relation(text: &str, column: usize) -> Result<String> {
    let relation: Relation = text
        .parse()
        .map_err(|error| wrong(column, "no way that models are made").with_source(error))?;
    Ok(relation.to_string())
}
