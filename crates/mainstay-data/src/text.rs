//! Cells as text for people.

use std::collections::BTreeMap;

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mainstay_core::{Error, ErrorKind, Result};

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

/// Spells a cell.
pub(crate) fn text(array: &dyn Array, row: usize) -> Result<String> {
    let options = FormatOptions::default();
    let shown = ArrayFormatter::try_new(array, &options)
        .and_then(|formatter| formatter.value(row).try_to_string());
    shown.map_err(|error| {
        Error::new(ErrorKind::Unsupported, "a value that has no text").with_source(error)
    })
}
