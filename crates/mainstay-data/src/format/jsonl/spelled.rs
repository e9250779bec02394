//! JSON lines as they are spelled.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayBuilder as _, ArrayRef, AsArray as _, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use mainstay_core::{Error, ErrorKind, Result};

use super::build::{BATCH_BYTES, BATCH_VALUES};
use super::lines::{Line, Lines};
use super::walk::each_member;
use crate::format::BATCH_ROWS;

/// Returns the schema of lines of which `columns` are the keys: of each key the text of its value, null where
/// a line does not have it, and at the end the whole line with the blank ones before it.
pub(super) fn schema<'a>(columns: impl Iterator<Item = &'a str>) -> Schema {
    let mut names: Vec<String> = columns.map(str::to_owned).collect();
    let mut line = "line".to_owned();
    while names.contains(&line) {
        line.push('_');
    }
    names.push(line);
    let fields = names.iter();
    let fields = fields.map(|name| Field::new(name, DataType::Utf8, true));
    Schema::new(fields.collect::<Vec<_>>())
}

/// The batches of a file, of [that schema](schema).
pub(super) struct Spelled {
    lines: Lines,
    schema: SchemaRef,
}

impl Spelled {
    pub(super) fn new(lines: Lines, schema: &SchemaRef) -> Self {
        Self {
            lines,
            schema: SchemaRef::clone(schema),
        }
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut texts = Texts::of(&self.schema);
        let most = (BATCH_VALUES / self.schema.fields().len()).clamp(1, BATCH_ROWS);
        let mut bytes = 0;
        while texts.rows < most && bytes < BATCH_BYTES {
            let length = self.lines.next_whole(|whole| {
                texts.append(whole)?;
                Ok(whole.len())
            })?;
            let Some(length) = length else {
                break;
            };
            bytes += length;
        }
        if texts.rows == 0 {
            return Ok(None);
        }
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), texts.finish());
        batch.map(Some).map_err(|error| {
            Error::new(ErrorKind::Internal, "JSON lines do not make a batch").with_source(error)
        })
    }
}

impl Iterator for Spelled {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

/// The columns of a batch as they grow.
struct Texts {
    /// The place of each key, and behind them of the line.
    places: BTreeMap<String, usize>,
    columns: Vec<StringBuilder>,
    rows: usize,
}

impl Texts {
    fn of(schema: &Schema) -> Self {
        Self {
            places: places(schema),
            columns: schema
                .fields()
                .iter()
                .map(|_| StringBuilder::new())
                .collect(),
            rows: 0,
        }
    }

    fn append(&mut self, line: &str) -> Result<()> {
        let (values, whole) = self.columns.split_at_mut(self.places.len());
        each_member(Line::of(line).text, |name, text| {
            let known = self.places.get(&*name).map(|&place| &mut values[place]);
            let values = known.ok_or_else(|| {
                Error::invalid(format!("an unknown key \"{}\"", name.escape_debug()))
            })?;
            if values.len() > self.rows {
                let why = format!("two values of the key \"{}\"", name.escape_debug());
                return Err(Error::invalid(why));
            }
            values.append_value(text);
            Ok(())
        })?;
        self.rows += 1;
        for values in values {
            if values.len() < self.rows {
                values.append_null();
            }
        }
        for whole in whole {
            whole.append_value(line);
        }
        Ok(())
    }

    fn finish(self) -> Vec<ArrayRef> {
        let columns = self.columns.into_iter();
        columns
            .map(|mut column| Arc::new(column.finish()) as _)
            .collect()
    }
}

/// The places of the keys.
fn places(schema: &Schema) -> BTreeMap<String, usize> {
    let names = schema.fields().iter().map(|field| field.name().clone());
    let places = names.enumerate().map(|(place, name)| (name, place));
    let mut places: BTreeMap<String, usize> = places.collect();
    places.retain(|_, place| *place + 1 < schema.fields().len());
    places
}

/// Writes a batch of [that schema](schema): each line as it is, but for the values that are others than it has.
///
/// A value that is null takes the place of one that the line has; a new key comes last.
///
/// # Errors
/// Those of writing; [`ErrorKind::Internal`] for a batch of another schema.
pub(crate) fn write_spelled(batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
    let lost = || Error::new(ErrorKind::Internal, "rows that are no JSON lines");
    let columns = batch.columns().iter();
    let columns: Vec<&StringArray> = columns
        .map(|column| column.as_string_opt::<i32>())
        .collect::<Option<_>>()
        .ok_or_else(lost)?;
    let (lines, values) = columns.split_last().ok_or_else(lost)?;
    let places = places(&batch.schema());
    for row in 0..batch.num_rows() {
        let of_row =
            |column: &StringArray| column.is_valid(row).then(|| column.value(row).to_owned());
        let values: Vec<Option<String>> = values.iter().map(|column| of_row(column)).collect();
        let line = respelled(lines.value(row), &places, values).ok_or_else(lost)??;
        out.write_all(line.as_bytes())?;
        if !line.ends_with('\n') {
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// Puts values into a line.
fn respelled(
    whole: &str,
    places: &BTreeMap<String, usize>,
    mut values: Vec<Option<String>>,
) -> Option<Result<String>> {
    let Line {
        before,
        text: line,
        end,
    } = Line::of(whole);
    let mut found = Vec::new();
    let walked = each_member(line, |name, text| {
        found.push((name.into_owned(), text));
        Ok(())
    });
    if let Err(error) = walked {
        return Some(Err(error));
    }
    let (mut spelled, mut copied) = (String::with_capacity(whole.len()), 0);
    spelled.push_str(before);
    for (name, text) in &found {
        let value = values.get_mut(*places.get(name)?)?.take();
        // It is a part of the line.
        let start = text.as_ptr().addr().checked_sub(line.as_ptr().addr())?;
        spelled.push_str(line.get(copied..start)?);
        spelled.push_str(value.as_deref().unwrap_or("null"));
        copied = start + text.len();
    }
    let rest = line.get(copied..)?;
    let added = places.iter().filter_map(|(name, &place)| {
        let value = values.get_mut(place)?.take()?;
        Some((place, name, value))
    });
    let mut added: Vec<(usize, &String, String)> = added.collect();
    added.sort_unstable_by_key(|(place, ..)| *place);
    let (rest, brace) = rest.split_at(rest.rfind('}')?);
    spelled.push_str(rest);
    for (number, (_, name, value)) in added.into_iter().enumerate() {
        if number > 0 || !found.is_empty() {
            spelled.push(',');
        }
        spelled.push_str(&serde_json::to_string(name).ok()?);
        spelled.push(':');
        spelled.push_str(&value);
    }
    spelled.push_str(brace);
    spelled.push_str(end);
    Some(Ok(spelled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_places_of_others() {
        let schema = schema(["line", "a", "b\"", "c"].into_iter());
        assert_eq!(schema.field(4).name(), "line_");
        let places = places(&schema);
        let of = |line: &str, values: [&str; 4]| {
            let values = values.map(|text| (!text.is_empty()).then(|| text.to_owned()));
            respelled(line, &places, values.to_vec()).unwrap().unwrap()
        };
        let line = r#"{ "a" : [1, 2],"line": 1.50 , "b\u0022":{"a":1} }"#;
        let same = ["1.50", "[1, 2]", r#"{"a":1}"#, ""];
        assert_eq!(of(line, same), line);
        assert_eq!(
            of(line, ["2", "", r#"{"a":1}"#, "\"}\""]),
            r#"{ "a" : null,"line": 2 , "b\u0022":{"a":1} ,"c":"}"}"#
        );
        assert_eq!(of("{}", ["", "1", "2", ""]), r#"{"a":1,"b\"":2}"#);
    }
}
