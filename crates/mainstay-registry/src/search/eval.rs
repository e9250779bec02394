//! Evaluates the terms of a query on a row.

use std::borrow::Cow;
use std::cmp::Ordering;

use mainstay_core::{Error, Name, Result, Timestamp};
use semver::Version;
use serde_json::Value;

use super::cursor::Key;
use super::like::like;
use super::query::{Attribute, Comparison, Exists, Expr, Field, Operand, Operator, Test};
use super::recorded::{recorded, several};
use super::rows::{Model, Row};
use crate::annotate::{Annotation, Restated};
use crate::eval::{self, EvalInfo};
use crate::metric::Metric;
use crate::serving::{Of, Serving, deployments};

/// What a field of a row holds.
pub(super) enum Datum<'r> {
    Missing,
    Number(f64),
    Text(Cow<'r, str>),
    Version(Version),
    Time(Timestamp),
    Several(Vec<Cow<'r, str>>),
    /// A parameter: a number as a number, and anything as text.
    Scalar(&'r Value),
}

pub(super) fn ordinal(row: &Row<'_>) -> Result<u64> {
    row.record
        .get("ordinal")
        .and_then(Value::as_u64)
        .ok_or_else(|| corrupt(row))
}

pub(super) fn corrupt(row: &Row<'_>) -> Error {
    Error::corrupt(
        format!("model:{}@{}", row.model, row.version),
        "not a record of a model version",
    )
}

pub(super) fn datum<'r>(
    row: &'r Row<'_>,
    model: &'r Model<'_>,
    field: &Field,
) -> Result<Datum<'r>> {
    if let Some(key) = field.tag() {
        return Ok(tag(row, model, key));
    }
    Ok(match field {
        Field::Attribute(attribute) => return attribute_datum(row, model, *attribute),
        Field::Metric(key) => {
            let registered =
                || Metric::from_json(row.record.get("metrics")?.get(key)?.get("value")?);
            let metric = model.measured(row)?.remove(key).or_else(registered);
            metric.map_or(Datum::Missing, |metric| Datum::Number(metric.value()))
        }
        Field::Gate(subject) => text(gates(row, model, subject)),
        Field::Eval(key) => {
            let reported = reported(row, model, key)?;
            reported.map_or(Datum::Missing, |metric| Datum::Number(metric.value()))
        }
        Field::Alias(alias) => time(model.aliased(row.version, alias)),
        Field::Stage(stage) => {
            let since = model.entered(row.version).unwrap_or(row.state.time);
            time((model.stage(row.version).as_str() == stage).then_some(since))
        }
        field => recorded(row.record, field).unwrap_or(Datum::Missing),
    })
}

pub(super) fn time<'r>(time: Option<Timestamp>) -> Datum<'r> {
    time.map_or(Datum::Missing, Datum::Time)
}

/// The newest value that reports of an evaluation say of a metric.
fn reported(row: &Row<'_>, model: &Model<'_>, key: &str) -> Result<Option<Metric>> {
    let said = |report: &EvalInfo| {
        let metric = key.strip_prefix(report.record.evaluation.as_str())?;
        report
            .record
            .metrics
            .get(metric.strip_prefix('.')?)
            .copied()
    };
    let reports = eval::reports(model.view(), &row.node()?)?;
    Ok(reports.iter().rev().find_map(said))
}

/// What the gates about a subject said when the version entered its stage.
fn gates(row: &Row<'_>, model: &Model<'_>, subject: &str) -> Option<&'static str> {
    let status = model.status(row.version)?;
    let mut found = None;
    for result in status
        .gates
        .iter()
        .filter(|result| result.gate.subject() == subject)
    {
        if !result.passed {
            return Some("fail");
        }
        found = Some("pass");
    }
    found
}

fn tag<'r>(row: &'r Row<'_>, model: &'r Model<'_>, key: &str) -> Datum<'r> {
    let annotated = model
        .annotation(row.version)
        .and_then(|annotation| annotation.tags.get(key));
    match annotated {
        Some(value) => text(value.as_deref()),
        None => text(
            row.record
                .get("tags")
                .and_then(|tags| tags.get(key)?.as_str()),
        ),
    }
}

fn attribute_datum<'r>(
    row: &'r Row<'_>,
    model: &'r Model<'_>,
    attribute: Attribute,
) -> Result<Datum<'r>> {
    Ok(match attribute {
        Attribute::Name => text(Some(model.called())),
        Attribute::Label => text(Some(row.version)),
        Attribute::Version => {
            Datum::Version(Version::parse(row.version).map_err(|_| corrupt(row))?)
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "nobody registers 2^53 versions of one model"
        )]
        Attribute::Ordinal => Datum::Number(ordinal(row)? as f64),
        Attribute::Stage => text(Some(model.stage(row.version).as_str())),
        Attribute::Created => Datum::Time(row.state.time),
        Attribute::Updated => Datum::Time(row.state.time.max(model.touched(row.version))),
        Attribute::Description | Attribute::Owner | Attribute::Purpose | Attribute::Expires => {
            let annotation = model.annotation(row.version);
            let restated = annotation.and_then(|annotation| restated(annotation, attribute));
            restated
                .or_else(|| recorded(row.record, &Field::Attribute(attribute)))
                .unwrap_or(Datum::Missing)
        }
        Attribute::Alias => several(model.aliases(row.version).iter().map(Name::as_str)),
        Attribute::Served => {
            let served = deployments(model.view(), &Of::Version(row.node()?))?.into_iter();
            let service = |serving: Serving| Cow::Owned(serving.deployment.service.to_string());
            Datum::Several(served.map(service).collect())
        }
        other => recorded(row.record, &Field::Attribute(other)).unwrap_or(Datum::Missing),
    })
}

/// Returns what an annotation makes of an attribute; `None` when that is as registered.
fn restated(annotation: &Annotation, attribute: Attribute) -> Option<Datum<'_>> {
    fn of<'a, T>(
        restated: &'a Restated<T>,
        datum: impl Fn(&'a T) -> Datum<'a>,
    ) -> Option<Datum<'a>> {
        match restated {
            Restated::AsRegistered => None,
            Restated::As(value) => Some(datum(value)),
            Restated::Absent => Some(Datum::Missing),
        }
    }
    match attribute {
        Attribute::Description => Some(text(Some(annotation.description.as_deref()?))),
        Attribute::Owner => of(&annotation.owner, |owner| text(Some(owner))),
        Attribute::Purpose => of(&annotation.purpose, |purpose| text(Some(purpose))),
        Attribute::Expires => of(&annotation.expires, |expires| Datum::Time(*expires)),
        _ => None,
    }
}

pub(super) fn text(text: Option<&str>) -> Datum<'_> {
    text.map_or(Datum::Missing, |text| Datum::Text(Cow::Borrowed(text)))
}

/// What a filter looks at.
pub(super) trait Subject {
    /// Returns what a field of it holds.
    fn datum(&self, field: &Field) -> Result<Datum<'_>>;

    /// Reports whether its lineage has what must exist.
    fn exists(&self, exists: &Exists) -> Result<bool>;
}

impl Expr {
    pub(super) fn holds(&self, subject: &impl Subject) -> Result<bool> {
        match self {
            Self::Is(comparison) => Ok(comparison.holds(&subject.datum(&comparison.field)?)),
            Self::Exists(exists) => subject.exists(exists),
            Self::Not(one) => Ok(!one.holds(subject)?),
            Self::All(all) => {
                for one in all {
                    if !one.holds(subject)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(any) => {
                for one in any {
                    if one.holds(subject)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

impl Comparison {
    pub(super) fn holds(&self, datum: &Datum<'_>) -> bool {
        match (&self.test, datum) {
            (Test::IsNull, datum) => datum.is_missing(),
            (Test::IsNotNull, datum) => !datum.is_missing(),
            // What is not must not be of any of several.
            (test, Datum::Several(several)) => {
                let meets = |one: &Cow<'_, str>| Datum::Text(Cow::Borrowed(one)).meets_test(test);
                if test.is_negative() {
                    several.iter().all(meets)
                } else {
                    several.iter().any(meets)
                }
            }
            (_, Datum::Missing) => false,
            (test, datum) => datum.meets_test(test),
        }
    }
}

impl Test {
    fn is_negative(&self) -> bool {
        use Operator::{NotEqual, NotILike, NotLike, NotRLike};
        matches!(
            self,
            Self::NotIn(_)
                | Self::NotBetween(..)
                | Self::Compare(NotEqual | NotLike | NotILike | NotRLike, _)
        )
    }
}

impl Datum<'_> {
    fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Several(several) => several.is_empty(),
            _ => false,
        }
    }

    /// Meets a test of something that is there.
    fn meets_test(&self, test: &Test) -> bool {
        use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        match test {
            Test::IsNull => false,
            Test::IsNotNull => true,
            Test::Compare(operator, operand) => self.meets(*operator, operand),
            Test::In(operands) => operands.iter().any(|one| self.meets(Equal, one)),
            Test::NotIn(operands) => operands.iter().all(|one| self.meets(NotEqual, one)),
            Test::Between(from, to) => {
                self.meets(GreaterOrEqual, from) && self.meets(LessOrEqual, to)
            }
            Test::NotBetween(from, to) => self.meets(Less, from) || self.meets(Greater, to),
        }
    }

    fn meets(&self, operator: Operator, operand: &Operand) -> bool {
        match (self, operand) {
            (Self::Text(text), Operand::Text(wanted)) => text_meets(text, operator, wanted),
            (Self::Text(text), Operand::Pattern(pattern)) => {
                pattern.is_in(text) == (operator == Operator::RLike)
            }
            (Self::Scalar(value), Operand::Pattern(pattern)) => {
                pattern.is_in(&scalar_text(value)) == (operator == Operator::RLike)
            }
            (Self::Scalar(value), Operand::Text(wanted)) => {
                text_meets(&scalar_text(value), operator, wanted)
            }
            (Self::Scalar(value), Operand::Number(wanted)) => value
                .as_f64()
                .is_some_and(|number| numbers(number, operator, *wanted)),
            (Self::Number(number), Operand::Number(wanted)) => numbers(*number, operator, *wanted),
            (Self::Version(version), Operand::Requirement(wanted)) => wanted.matches(version),
            (Self::Version(version), Operand::Version(wanted)) => {
                ordered(operator, Some(version.cmp(wanted)))
            }
            (Self::Time(time), Operand::Time(wanted)) => ordered(operator, Some(time.cmp(wanted))),
            _ => false,
        }
    }
}

fn text_meets(text: &str, operator: Operator, wanted: &str) -> bool {
    match operator {
        Operator::Like => like(text, wanted),
        Operator::NotLike => !like(text, wanted),
        Operator::ILike => like(&text.to_lowercase(), &wanted.to_lowercase()),
        Operator::NotILike => !like(&text.to_lowercase(), &wanted.to_lowercase()),
        Operator::Contains => text.contains(wanted),
        operator => ordered(operator, Some(text.cmp(wanted))),
    }
}

/// What is not finite has no order: it is equal to what is called the same, and to nothing else.
fn numbers(number: f64, operator: Operator, wanted: Metric) -> bool {
    let wanted_value = wanted.value();
    if number.is_finite() && wanted_value.is_finite() {
        return ordered(operator, number.partial_cmp(&wanted_value));
    }
    let equal = Metric::new(number) == wanted;
    match operator {
        Operator::Equal => equal,
        Operator::NotEqual => !equal,
        _ => false,
    }
}

fn ordered(operator: Operator, ordering: Option<Ordering>) -> bool {
    match operator {
        Operator::Equal => ordering == Some(Ordering::Equal),
        Operator::NotEqual => ordering != Some(Ordering::Equal),
        Operator::Less => ordering == Some(Ordering::Less),
        Operator::LessOrEqual => ordering.is_some_and(Ordering::is_le),
        Operator::Greater => ordering == Some(Ordering::Greater),
        Operator::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
        Operator::Like
        | Operator::NotLike
        | Operator::ILike
        | Operator::NotILike
        | Operator::RLike
        | Operator::NotRLike
        | Operator::Contains
        | Operator::Satisfies => false,
    }
}

fn scalar_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

pub(super) fn key(datum: Datum<'_>) -> Key {
    match datum {
        Datum::Missing | Datum::Several(_) => Key::Missing,
        Datum::Number(number) => Key::Number(number),
        Datum::Text(text) => Key::Text(text.into_owned()),
        Datum::Version(version) => Key::Version(version),
        Datum::Time(time) => Key::Time(time),
        Datum::Scalar(value) => match value.as_f64() {
            Some(number) => Key::Number(number),
            None => Key::Text(scalar_text(value).into_owned()),
        },
    }
}
