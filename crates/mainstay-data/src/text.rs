//! Cells as text for people.

use std::collections::BTreeMap;

use arrow::array::Array;
use mainstay_core::{Error, ErrorKind, Result};

use crate::digest::Profile;
use crate::slots::slots;
use crate::stats::{ScalarValue, spell};
use crate::zones;

/// Spells cells of a row by the names of their columns; nulls are left out.
pub(crate) fn texts<'a>(
    columns: impl IntoIterator<Item = (&'a str, &'a dyn Array)>,
    row: usize,
) -> Result<BTreeMap<String, String>> {
    let columns = columns.into_iter();
    let values = columns.filter(|(_, array)| !array.is_null(row));
    values
        .map(|(name, array)| Ok((name.to_owned(), text(array, row)?)))
        .collect()
}

/// Spells a cell; times with a zone in UTC.
pub(crate) fn text(array: &dyn Array, row: usize) -> Result<String> {
    let refused = match zones::spelled(array, row) {
        Ok(text) => return Ok(text),
        Err(refused) => refused,
    };
    // Such as a date that a calendar of four digits does not have.
    scalar(array, row)?.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "a value that has no text").with_source(refused)
    })
}

fn scalar(array: &dyn Array, row: usize) -> Result<Option<String>> {
    let slots = slots(array, Profile::Strict)?;
    let Some(value) = spell(array.data_type(), slots.scalar(row)) else {
        return Ok(None);
    };
    Ok(Some(match value {
        ScalarValue::Bool(value) => value.to_string(),
        ScalarValue::Number(number) => number.to_string(),
        ScalarValue::Text(text) => text,
    }))
}
