//! What records say, as an index keeps it.

use std::borrow::Cow;
use std::sync::Arc;

use mainstay_core::Timestamp;
use serde_json::Value;

use super::eval::Datum;
use super::query::{Attribute, Field};
use super::recorded::{keyed, recorded};

/// Longer texts are not kept: who asks about one reads the record.
const MAX_TEXT: usize = 256;

/// The attributes that are kept: not the digests and files, which are others in each version.
const ATTRIBUTES: [Attribute; 14] = [
    Attribute::Environment,
    Attribute::Code,
    Attribute::Repository,
    Attribute::Dirty,
    Attribute::Data,
    Attribute::Parent,
    Attribute::MadeBy,
    Attribute::Step,
    Attribute::Description,
    Attribute::Author,
    Attribute::Owner,
    Attribute::Purpose,
    Attribute::Expires,
    Attribute::Bytes,
];

/// Reports whether the index keeps what records say of a field.
pub(super) fn is_kept(field: &Field) -> bool {
    match field {
        Field::Attribute(attribute) => ATTRIBUTES.contains(attribute),
        Field::Tag(_) | Field::Parameter(_) | Field::Seed(_) | Field::Parent(_) => true,
        // Of all data together.
        Field::Dataset(key) => !matches!(key.as_str(), "name" | "digest" | "context"),
        _ => false,
    }
}

/// What a record says of the fields that are kept.
pub(super) type Facts = Arc<[(Arc<Field>, Fact)]>;

/// What a field holds.
#[derive(Debug, Clone)]
pub(super) enum Fact {
    Number(f64),
    Text(Arc<str>),
    Time(Timestamp),
    Several(Box<[Arc<str>]>),
    Scalar(Box<Value>),
    /// Text that is not kept.
    Long,
}

impl Fact {
    fn of(datum: Datum<'_>, text: &mut impl FnMut(&str) -> Arc<str>) -> Option<Self> {
        Some(match datum {
            Datum::Missing | Datum::Version(_) => return None,
            Datum::Text(long) if long.len() > MAX_TEXT => Self::Long,
            Datum::Scalar(Value::String(long)) if long.len() > MAX_TEXT => Self::Long,
            Datum::Number(number) => Self::Number(number),
            Datum::Text(one) => Self::Text(text(&one)),
            Datum::Time(time) => Self::Time(time),
            Datum::Several(several) if several.is_empty() => return None,
            Datum::Several(several) => Self::Several(several.iter().map(|one| text(one)).collect()),
            Datum::Scalar(scalar) => Self::Scalar(Box::new(scalar.clone())),
        })
    }

    /// Returns what it is, if it is kept.
    pub(super) fn datum(&self) -> Option<Datum<'_>> {
        Some(match self {
            Self::Long => return None,
            Self::Number(number) => Datum::Number(*number),
            Self::Text(text) => Datum::Text(Cow::Borrowed(text)),
            Self::Time(time) => Datum::Time(*time),
            Self::Several(several) => {
                Datum::Several(several.iter().map(|one| Cow::Borrowed(&**one)).collect())
            }
            Self::Scalar(scalar) => Datum::Scalar(scalar),
        })
    }
}

/// Reads what a record says.
pub(super) fn facts(
    record: &Value,
    mut text: impl FnMut(&str) -> Arc<str>,
    mut name: impl FnMut(Field) -> Arc<Field>,
) -> Facts {
    let attributes = ATTRIBUTES.into_iter().map(Field::Attribute);
    let fields = attributes.chain(keyed(record)).filter(is_kept);
    fields
        .filter_map(|field| {
            let fact = Fact::of(recorded(record, &field)?, &mut text)?;
            Some((name(field), fact))
        })
        .collect()
}

/// What an annotation makes of attributes; of `None` there is none any more.
pub(super) type Restated = Arc<[(Attribute, Option<Fact>)]>;

/// Reads what the record of an annotation makes of attributes.
pub(super) fn restated(record: &Value, mut text: impl FnMut(&str) -> Arc<str>) -> Restated {
    let known = [
        ("description", Attribute::Description),
        ("owner", Attribute::Owner),
        ("purpose", Attribute::Purpose),
        ("expires", Attribute::Expires),
    ];
    let stated = known
        .into_iter()
        .filter(|(name, _)| record.get(name).is_some());
    stated
        .map(|(_, attribute)| {
            let datum = recorded(record, &Field::Attribute(attribute));
            (
                attribute,
                datum.and_then(|datum| Fact::of(datum, &mut text)),
            )
        })
        .collect()
}

/// Returns what is said of a field, if it is kept.
pub(super) fn said<'f>(facts: &'f Facts, field: &Field) -> Option<Datum<'f>> {
    match facts.iter().find(|(of, _)| **of == *field) {
        Some((_, fact)) => fact.datum(),
        None if field.is_several() => Some(Datum::Several(Vec::new())),
        None => Some(Datum::Missing),
    }
}

/// Returns what is said of a tag, if it is kept.
pub(super) fn said_tag<'f>(facts: &'f Facts, key: &str) -> Option<Datum<'f>> {
    let is_it = |field: &Field| matches!(field, Field::Tag(tag) if tag == key);
    let found = facts.iter().find(|(field, _)| is_it(field));
    found.map_or(Some(Datum::Missing), |(_, fact)| fact.datum())
}
