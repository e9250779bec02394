//! Parses literals, as what the field before them compares with.

use mainstay_core::{Error, Result, Timestamp};
use semver::{Version, VersionReq};

use super::parse::Parser;
use super::pattern::Pattern;
use super::query::{Attribute, Field, Operand, Operator};
use super::token::{Kind, wrong};
use crate::metric::Metric;

/// What a field is compared with.
#[derive(Clone, Copy, PartialEq)]
enum Sort {
    Text,
    Number,
    /// A number, or what a metric that is none is called.
    Metric,
    /// A number as a number, text as text.
    Scalar,
    Version,
    Time,
}

impl Sort {
    fn of(field: &Field) -> Self {
        match field {
            Field::Metric(_) | Field::Eval(_) => Self::Metric,
            Field::Parameter(_) => Self::Scalar,
            Field::Attribute(Attribute::Ordinal | Attribute::Step | Attribute::Bytes) => {
                Self::Number
            }
            Field::Attribute(
                Attribute::Created | Attribute::Updated | Attribute::Expires | Attribute::Ended,
            )
            | Field::Alias(_)
            | Field::Stage(_) => Self::Time,
            Field::Attribute(Attribute::Version) => Self::Version,
            Field::Attribute(_)
            | Field::Tag(_)
            | Field::Seed(_)
            | Field::Gate(_)
            | Field::Dataset(_)
            | Field::Digest(_)
            | Field::Parent(_)
            | Field::Input(_)
            | Field::Output(_) => Self::Text,
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::Number | Self::Metric => "a number",
            Self::Scalar | Self::Time => "a number or text in quotes",
            Self::Text | Self::Version => "text in quotes",
        }
    }
}

impl Parser {
    pub(super) fn operand(&mut self, field: &Field, operator: Operator) -> Result<Operand> {
        let column = self.column();
        let sort = Sort::of(field);
        let not_a = |what: &str, error: Error| wrong(column, what).with_source(error);
        let operand = match (sort, self.peek().map(|token| &token.kind)) {
            (Sort::Metric | Sort::Scalar | Sort::Number, Some(Kind::Number(number))) => {
                Operand::Number(Metric::new(*number))
            }
            (Sort::Metric, Some(Kind::Text(text))) => match not_finite(text) {
                Some(number) => Operand::Number(number),
                None => return Err(self.unexpected("a number, 'NaN', 'Infinity' or '-Infinity'")),
            },
            (Sort::Time, Some(Kind::Number(ms))) => Operand::Time(from_unix_ms(*ms)),
            (Sort::Time, Some(Kind::Text(text))) => {
                Operand::Time(text.parse().map_err(|error| not_a("not a time", error))?)
            }
            (Sort::Version, Some(Kind::Text(text))) if operator == Operator::Satisfies => {
                Operand::Requirement(VersionReq::parse(text).map_err(|error| {
                    wrong(column, "not a version requirement").with_source(error)
                })?)
            }
            (Sort::Version, Some(Kind::Text(text))) => Operand::Version(
                Version::parse(text)
                    .map_err(|error| wrong(column, "not a version").with_source(error))?,
            ),
            (Sort::Text | Sort::Scalar, Some(Kind::Text(text)))
                if matches!(operator, Operator::RLike | Operator::NotRLike) =>
            {
                let pattern = Pattern::new(text);
                Operand::Pattern(pattern.map_err(|error| not_a("bad pattern", error))?)
            }
            // MLflow shouts them.
            (Sort::Text, Some(Kind::Text(text)))
                if *field == Field::Attribute(Attribute::Status) =>
            {
                Operand::Text(text.to_ascii_lowercase())
            }
            (Sort::Text | Sort::Scalar, Some(Kind::Text(text))) => Operand::Text(text.clone()),
            _ => return Err(self.unexpected(sort.wanted())),
        };
        self.at += 1;
        Ok(operand)
    }
}

/// Reads the name of a number that is not finite, as MLflow spells it.
fn not_finite(text: &str) -> Option<Metric> {
    let number = match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    };
    Some(Metric::new(number))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float cast saturates, and the timestamp is clamped to four-digit years"
)]
fn from_unix_ms(ms: f64) -> Timestamp {
    Timestamp::from_unix_micros((ms * 1_000.0) as i64)
}

/// Refuses an operator that the operand has no meaning for.
pub(super) fn check_operator(column: usize, operator: Operator, operand: &Operand) -> Result<()> {
    use Operator as O;
    let is_text = matches!(operand, Operand::Text(_));
    let is_finite = !matches!(operand, Operand::Number(number) if !number.value().is_finite());
    match operator {
        O::Satisfies => match operand {
            Operand::Requirement(_) => Ok(()),
            _ => Err(wrong(column, "SATISFIES compares versions only")),
        },
        O::RLike | O::NotRLike => match operand {
            Operand::Pattern(_) => Ok(()),
            _ => Err(wrong(column, "RLIKE compares text only")),
        },
        O::Like | O::NotLike | O::ILike | O::NotILike | O::Contains if !is_text => {
            Err(wrong(column, "LIKE and CONTAINS compare text only"))
        }
        O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual if is_text => Err(wrong(
            column,
            "text is compared by = != LIKE ILIKE RLIKE CONTAINS IN",
        )),
        O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual if !is_finite => Err(wrong(
            column,
            "what is not a finite number has no order; compare by = or !=",
        )),
        _ => Ok(()),
    }
}
