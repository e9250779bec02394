//! How CSV files are spelled, where not by RFC 4180.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the CSV files of a table are spelled: all of them, whatever their extension.
///
/// The types of the columns are found as ever. A decimal comma is none of this: `0,5` is a text.
///
/// ```
/// use mainstay_data::{CsvOptions, TableFiles};
///
/// let german = CsvOptions::new().with_delimiter(';'.try_into()?).with_null("k. A.");
/// let chosen = TableFiles::new().with_csv(german);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CsvOptions {
    /// What stands between two fields; a comma, in `.tsv` a tab, when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<CsvDelimiter>,
    /// What stands around a field that holds delimiters, line breaks or quotes, those doubled; `"` when
    /// `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<CsvQuote>,
    /// The texts that are null beside the empty one, quoted or not, as `NA`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub nulls: BTreeSet<String>,
    /// Whether the first line is a row and not the header. Columns are called `column_1`, `column_2` and so on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub headerless: bool,
}

/// What stands between two fields of a CSV file: an ASCII character other than a line break and NUL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct CsvDelimiter(u8);

/// What stands around the fields of a CSV file: an ASCII character other than a line break and NUL, or nothing.
///
/// Its text is that character, and empty for nothing. Then a quote is a character as any other, and no field
/// holds a delimiter or a line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CsvQuote(Option<u8>);

impl CsvOptions {
    /// Begins with RFC 4180 and a header line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what stands between two fields.
    #[must_use]
    pub fn with_delimiter(mut self, delimiter: CsvDelimiter) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Sets what stands around fields.
    #[must_use]
    pub fn with_quote(mut self, quote: CsvQuote) -> Self {
        self.quote = Some(quote);
        self
    }

    /// Adds a text that is null.
    #[must_use]
    pub fn with_null(mut self, text: impl Into<String>) -> Self {
        self.nulls.insert(text.into());
        self
    }

    /// Says that the first line is a row.
    #[must_use]
    pub fn without_header(mut self) -> Self {
        self.headerless = true;
        self
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks what the types of the fields do not say.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) when one character would be delimiter and
    /// quote, or the empty text is named as null, which it is anyway.
    pub(crate) fn check(&self) -> Result<()> {
        let quote = self.quote_byte();
        let is_quote = |delimiter| Some(delimiter) == quote;
        let is_taken = match self.delimiter {
            Some(delimiter) => is_quote(delimiter.0),
            None => is_quote(b',') || is_quote(b'\t'),
        };
        if is_taken {
            let why = "a CSV file whose fields stand between the quotes that stand around them";
            let quote = quote.map(char::from).unwrap_or_default();
            return Err(Error::invalid(why).context("quote", quote.escape_debug()));
        }
        if self.nulls.contains("") {
            let why = "an empty field of CSV is null whatever else is";
            return Err(Error::invalid(why));
        }
        Ok(())
    }

    /// Begins to write a file whose extension says `delimiter`.
    pub(crate) fn writer(&self, delimiter: u8) -> csv::WriterBuilder {
        let mut writer = csv::WriterBuilder::new();
        writer.delimiter(self.delimiter_byte(delimiter));
        match self.quote_byte() {
            Some(quote) => writer.quote(quote),
            None => writer.quote_style(csv::QuoteStyle::Never),
        };
        writer
    }

    /// Reports whether a row of one empty field can be written: an empty line is no row.
    pub(crate) fn has_empty_rows(&self) -> bool {
        self.quote_byte().is_some()
    }

    /// Returns the delimiter of a file whose extension says `delimiter`.
    pub(super) fn delimiter_byte(&self, delimiter: u8) -> u8 {
        self.delimiter.map_or(delimiter, |said| said.0)
    }

    pub(super) fn quote_byte(&self) -> Option<u8> {
        self.quote.map_or(Some(b'"'), |quote| quote.0)
    }
}

/// An ASCII character that can mean something in CSV.
fn byte_of(character: char) -> Option<u8> {
    let byte = u8::try_from(character).ok()?;
    (byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | 0)).then_some(byte)
}

impl TryFrom<char> for CsvDelimiter {
    type Error = Error;

    fn try_from(character: char) -> Result<Self> {
        let byte = byte_of(character).ok_or_else(|| {
            Error::invalid(
                "between the fields of CSV stands one ASCII character, and no line break",
            )
            .context("delimiter", character.escape_debug())
        });
        byte.map(Self)
    }
}

impl From<CsvDelimiter> for char {
    fn from(delimiter: CsvDelimiter) -> Self {
        Self::from(delimiter.0)
    }
}

/// Reads one character, or `\t` or `tab`.
impl FromStr for CsvDelimiter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut characters = text.chars();
        match (text, characters.next(), characters.next()) {
            (r"\t" | "tab", ..) => '\t'.try_into(),
            (_, Some(character), None) => character.try_into(),
            _ => Err(Error::invalid("a delimiter of CSV is one ASCII character")
                .context("delimiter", text.escape_debug())),
        }
    }
}

impl fmt::Display for CsvDelimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        char::from(*self).escape_debug().fmt(f)
    }
}

impl TryFrom<String> for CsvQuote {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<CsvQuote> for String {
    fn from(quote: CsvQuote) -> Self {
        quote.0.map(char::from).into_iter().collect()
    }
}

/// Reads one character, or nothing.
impl FromStr for CsvQuote {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut characters = text.chars();
        let quote = match (characters.next(), characters.next()) {
            (None, _) => Some(None),
            (Some(character), None) => byte_of(character).map(Some),
            _ => None,
        };
        quote.map(Self).ok_or_else(|| {
            Error::invalid("a quote of CSV is one ASCII character, or none where fields have none")
                .context("quote", text.escape_debug())
        })
    }
}

impl fmt::Display for CsvQuote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(quote) => char::from(quote).fmt(f),
            None => f.write_str("none"),
        }
    }
}
