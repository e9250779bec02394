//! Walking over what an object or an array holds, each value as it is spelled.

use std::borrow::Cow;
use std::fmt;

use mainstay_core::{Error, Result};
use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// A string, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Calls `take` with every member of an object.
///
/// # Errors
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) when `text` is none; those of `take`.
pub(super) fn each_member<'a>(
    text: &'a str,
    take: impl FnMut(Cow<'a, str>, &'a str) -> Result<()>,
) -> Result<()> {
    walk(text, take, |walk, json| json.deserialize_map(walk))
}

/// Calls `take` with every item of an array.
///
/// # Errors
/// As [`each_member`].
pub(super) fn each_item<'a>(
    text: &'a str,
    mut take: impl FnMut(&'a str) -> Result<()>,
) -> Result<()> {
    let take = |_: Cow<'a, str>, item| take(item);
    walk(text, take, |walk, json| json.deserialize_seq(walk))
}

/// Says what is wrong with a line.
pub(super) fn malformed(error: &serde_json::Error) -> Error {
    let text = error.to_string();
    // It counts lines from where its text begins, which is not where the file does.
    let place = format!(" at line {} column {}", error.line(), error.column());
    let why = text.strip_suffix(&place).unwrap_or(&text);
    Error::invalid(format!("malformed JSON: {why}"))
}

type Json<'a> = Deserializer<serde_json::de::StrRead<'a>>;

fn walk<'a, F>(
    text: &'a str,
    take: F,
    into: impl FnOnce(Walk<'_, F>, &mut Json<'a>) -> serde_json::Result<()>,
) -> Result<()> {
    let mut failure = None;
    let mut json = Deserializer::from_str(text);
    let walk = Walk {
        take,
        failure: &mut failure,
    };
    let walked = into(walk, &mut json).and_then(|()| json.end());
    walked.map_err(|error| failure.unwrap_or_else(|| malformed(&error)))
}

struct Walk<'f, F> {
    take: F,
    /// What `take` failed with, which the error of the deserializer cannot hold.
    failure: &'f mut Option<Error>,
}

impl<'de, F: FnMut(Cow<'de, str>, &'de str) -> Result<()>> Walk<'_, F> {
    fn take<E: serde::de::Error>(
        &mut self,
        name: Cow<'de, str>,
        value: &'de RawValue,
    ) -> Result<(), E> {
        (self.take)(name, value.get()).map_err(|error| {
            *self.failure = Some(error);
            E::custom("refused")
        })
    }
}

impl<'de, F: FnMut(Cow<'de, str>, &'de str) -> Result<()>> Visitor<'de> for Walk<'_, F> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            let value = map.next_value()?;
            self.take(name, value)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element()? {
            self.take(Cow::Borrowed(""), item)?;
        }
        Ok(())
    }
}
