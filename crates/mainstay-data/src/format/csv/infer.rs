//! Finding the types of CSV columns: the narrowest that every field of every file allows.

use std::collections::BTreeSet;

use mainstay_core::{Error, Result};

use super::field::{CsvType, Moment, parse_bool, parse_date, parse_float, parse_int};
use super::records::Records;
use super::{CsvOptions, CsvSchema};
use crate::passing::Passing;
use crate::report::NullLike;
use crate::source::Source;

/// Finds one schema for any number of CSV files.
#[derive(Debug)]
pub(crate) struct Inference {
    options: CsvOptions,
    columns: Vec<(String, Fields)>,
}

impl Inference {
    /// Begins with no file; those to come are spelled as `options` say.
    pub(crate) fn new(options: CsvOptions) -> Self {
        Self {
            options,
            columns: Vec::new(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when it is malformed or its columns
    /// are not those of the files before.
    pub(crate) fn add(&mut self, source: &Source, delimiter: u8, rows: &mut Passing) -> Result<()> {
        let mut records = Records::open(source, delimiter, &self.options)?;
        let places = self.places(records.names())?;
        while records.advance()? {
            for (index, &place) in places.iter().enumerate() {
                if let Some(text) = records.field(index)? {
                    self.columns[place].1.narrow(text);
                }
            }
            rows.one();
        }
        Ok(())
    }

    /// Finds the columns that are text only for fields that others write where a value is missing.
    pub(crate) fn null_like(&self) -> Vec<NullLike> {
        let columns = self.columns.iter();
        columns
            .filter_map(|(name, fields)| fields.null_like(name))
            .collect()
    }

    pub(crate) fn finish(self) -> CsvSchema {
        CsvSchema {
            options: self.options,
            columns: self
                .columns
                .into_iter()
                .map(|(name, fields)| (name, fields.all.narrowest()))
                .collect(),
            spelled: false,
        }
    }

    /// Finds the place of each of a file's columns; the first file makes them.
    fn places(&mut self, names: &[String]) -> Result<Vec<usize>> {
        if self.columns.is_empty() {
            self.columns = names
                .iter()
                .map(|name| (name.clone(), Fields::default()))
                .collect();
            return Ok((0..names.len()).collect());
        }
        names
            .iter()
            .map(|name| {
                self.columns
                    .iter()
                    .position(|(known, _)| known == name)
                    .ok_or_else(|| {
                        Error::invalid("a column that the other files do not have")
                            .context("column", name.escape_debug())
                    })
            })
            .collect()
    }
}

/// What others write where a value is missing, as pandas, R and databases do.
const NULL_LIKE: &[&str] = &[
    "#N/A", "#NA", "-", "--", ".", "<NA>", "?", "N/A", "NA", "NULL", "NaN", "None", "Null", "\\N",
    "n/a", "na", "nan", "none", "null",
];

/// The longest of them.
const MAX_NULL_LIKE_BYTES: usize = 4;

/// The fields of a column.
#[derive(Debug, Default)]
struct Fields {
    all: Candidates,
    /// Those that are not null-like, and which are: from the first of these on.
    but: Option<(Candidates, BTreeSet<&'static str>)>,
}

impl Fields {
    fn narrow(&mut self, text: &str) {
        let known = || NULL_LIKE.iter().find(|known| **known == text);
        if text.len() <= MAX_NULL_LIKE_BYTES
            && let Some(known) = known()
        {
            let (_, found) = self
                .but
                .get_or_insert_with(|| (self.all.clone(), BTreeSet::new()));
            found.insert(known);
        } else if let Some((others, _)) = &mut self.but {
            others.narrow(text);
        }
        self.all.narrow(text);
    }

    fn null_like(&self, name: &str) -> Option<NullLike> {
        let (others, found) = self.but.as_ref()?;
        let (all, others) = (self.all.narrowest(), others.narrowest());
        let is_text = all == CsvType::Text && others != CsvType::Text;
        is_text.then(|| NullLike {
            column: name.to_owned(),
            texts: found.iter().copied().map(str::to_owned).collect(),
            logical_type: others.spelled().to_owned(),
        })
    }
}

/// The types that every field so far allows.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says by itself whether a type is still possible"
)]
struct Candidates {
    seen: bool,
    bool: bool,
    int: bool,
    float: bool,
    /// Whether every field is spelled as an integer, of any size.
    whole: bool,
    date: bool,
    local_time: bool,
    utc_time: bool,
    /// Whether nanoseconds can hold every time.
    nanos_fit: bool,
    /// Whether a time is finer than microseconds.
    nanos_needed: bool,
}

impl Default for Candidates {
    fn default() -> Self {
        Self {
            seen: false,
            bool: true,
            int: true,
            float: true,
            whole: true,
            date: true,
            local_time: true,
            utc_time: true,
            nanos_fit: true,
            nanos_needed: false,
        }
    }
}

impl Candidates {
    fn narrow(&mut self, text: &str) {
        self.seen = true;
        self.bool = self.bool && parse_bool(text).is_some();
        self.int = self.int && parse_int(text).is_some();
        self.float = self.float && parse_float(text).is_some();
        self.whole = self.whole && text.bytes().all(|b| b == b'-' || b.is_ascii_digit());
        self.date = self.date && parse_date(text).is_some();
        if self.local_time || self.utc_time {
            let moment = Moment::parse(text);
            self.local_time &= moment.is_some_and(|moment| !moment.has_offset);
            self.utc_time &= moment.is_some_and(|moment| moment.has_offset);
            self.nanos_fit &= moment.is_some_and(|moment| moment.nanos().is_some());
            self.nanos_needed |= moment.is_some_and(|moment| moment.fraction_digits > 6);
        }
    }

    fn narrowest(&self) -> CsvType {
        if !self.seen {
            return CsvType::Text;
        }
        let time_fits = !self.nanos_needed || self.nanos_fit;
        let choices = [
            (self.bool, CsvType::Bool),
            (self.int, CsvType::Int),
            // Integers beyond 64 bits are identifiers; a float would not keep them apart.
            (self.float && !self.whole, CsvType::Float),
            (self.date, CsvType::Date),
            (self.local_time && !self.nanos_needed, CsvType::LocalMicros),
            (self.utc_time && !self.nanos_needed, CsvType::UtcMicros),
            (self.local_time && time_fits, CsvType::LocalNanos),
            (self.utc_time && time_fits, CsvType::UtcNanos),
        ];
        choices
            .into_iter()
            .find(|(possible, _)| *possible)
            .map_or(CsvType::Text, |(_, csv_type)| csv_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn null_like(fields: &[&str]) -> Option<(String, String)> {
        let mut column = Fields::default();
        for field in fields {
            column.narrow(field);
        }
        let found = column.null_like("c")?;
        Some((found.texts.join(" "), found.logical_type))
    }

    #[test]
    fn texts_that_hide_a_type_are_found() {
        let longest = NULL_LIKE.iter().map(|text| text.len()).max();
        assert_eq!(longest, Some(MAX_NULL_LIKE_BYTES));
        let told = |texts: &str, of: &str| Some((texts.to_owned(), of.to_owned()));
        assert_eq!(null_like(&["1", "NA", "2"]), told("NA", "int64"));
        assert_eq!(
            null_like(&["NA", "1.5", "n/a", "NA"]),
            told("NA n/a", "float64")
        );
        assert_eq!(null_like(&["2024-02-29", "\\N"]), told("\\N", "date32"));
        assert_eq!(null_like(&["true", "null"]), told("null", "bool"));
        assert_eq!(null_like(&["1", "NA", "x"]), None);
        assert_eq!(null_like(&["x", "NA", "1"]), None);
        assert_eq!(null_like(&["NA", "null"]), None);
        assert_eq!(null_like(&["1.5", "NaN"]), None);
        assert_eq!(null_like(&["1", "2"]), None);
    }

    fn check(fields: &[&str], expected: CsvType) {
        let mut candidates = Candidates::default();
        for field in fields {
            candidates.narrow(field);
        }
        assert_eq!(candidates.narrowest(), expected, "{fields:?}");
    }

    #[test]
    fn the_narrowest_type_that_every_field_allows_is_chosen() {
        check(&[], CsvType::Text);
        check(&["1", "-2"], CsvType::Int);
        check(&["1", "2.5", "NaN"], CsvType::Float);
        check(&["1", "x"], CsvType::Text);
        check(&["01"], CsvType::Text);
        check(&["18446744073709551616"], CsvType::Text);
        check(&["18446744073709551616", "0.5"], CsvType::Float);
        check(&["True", "false"], CsvType::Bool);
        check(&["true", "1"], CsvType::Text);
        check(&["2024-02-29"], CsvType::Date);
        check(&["2024-02-29", "2024-02-29T00:00:00"], CsvType::Text);
        check(
            &["2024-02-29 01:02:03", "1600-01-01T00:00:00.5"],
            CsvType::LocalMicros,
        );
        check(&["2024-02-29T01:02:03Z"], CsvType::UtcMicros);
        check(&["2024-02-29T01:02:03.123456789Z"], CsvType::UtcNanos);
        check(
            &["2024-02-29T01:02:03.123456789", "1600-01-01T00:00:00"],
            CsvType::Text,
        );
        check(
            &["2024-02-29T01:02:03Z", "2024-02-29T01:02:03"],
            CsvType::Text,
        );
    }
}
