//! The records of a CSV file, with a bound on their size.

use std::collections::BTreeSet;
use std::io::{self, Read};

use csv::{ByteRecord, ErrorKind as CsvKind, Reader, ReaderBuilder};
use mainstay_core::{Error, ErrorKind, Result};

use super::CsvOptions;
use crate::logical::MAX_COLUMNS;
use crate::source::{Source, SourceReader};

/// The largest record. A quote that is never closed makes the rest of a file one field.
const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;

/// Reads a CSV file record by record.
pub(super) struct Records {
    reader: Reader<Metered>,
    record: ByteRecord,
    names: Vec<String>,
    /// What is null beside the empty text; `None` when nothing is.
    nulls: Option<BTreeSet<String>>,
}

impl Records {
    /// Reads the header, or the first row where there is none; `delimiter` is that of the file's extension.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when there is neither or it is not UTF-8; [`ErrorKind::Unsupported`] when it
    /// names too many columns.
    pub(super) fn open(source: &Source, delimiter: u8, options: &CsvOptions) -> Result<Self> {
        let metered = Metered {
            inner: source.reader(),
            read: 0,
        };
        let mut builder = ReaderBuilder::new();
        builder
            .delimiter(options.delimiter_byte(delimiter))
            .has_headers(!options.headerless);
        match options.quote_byte() {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        let mut reader = builder.from_reader(metered);
        let header = reader.byte_headers().map_err(refused)?.clone();
        if header.is_empty() {
            return Err(Error::invalid(if options.headerless {
                "a CSV file without a row does not say which columns it has"
            } else {
                "a CSV file without a header line"
            }));
        }
        if header.len() > MAX_COLUMNS {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a table of more than 16,384 columns",
            )
            .context("columns", header.len()));
        }
        let names = if options.headerless {
            (1..=header.len()).map(|n| format!("column_{n}")).collect()
        } else {
            let names = header.iter();
            let names = names.map(|name| utf8(name, 1).map(str::to_owned));
            names.collect::<Result<_>>()?
        };
        Ok(Self {
            reader,
            record: ByteRecord::new(),
            names,
            nulls: Some(options.nulls.clone()),
        })
    }

    /// Reads every field as the text that it is, also those that are null.
    pub(super) fn without_nulls(&mut self) {
        self.nulls = None;
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads the next record; `false` at the end.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] naming the line when it has too few or
    /// too many fields or is too long.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.reader.get_mut().read = 0;
        self.reader
            .read_byte_record(&mut self.record)
            .map_err(refused)
    }

    /// Returns how many bytes the current record's fields have.
    pub(super) fn record_bytes(&self) -> usize {
        self.record.as_slice().len()
    }

    /// Returns the line on which the current record begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    /// Returns a field of the current record; `None` when it is empty or another text that is null.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] naming line and column when it is not
    /// UTF-8.
    pub(super) fn field(&self, index: usize) -> Result<Option<&str>> {
        let Some(bytes) = self.record.get(index) else {
            return Ok(None);
        };
        let is_null = |text: &str| {
            let nulls = self.nulls.as_ref();
            nulls.is_some_and(|nulls| text.is_empty() || nulls.contains(text))
        };
        utf8(bytes, self.line())
            .map(|text| (!is_null(text)).then_some(text))
            .map_err(|error| error.context("column", self.names[index].escape_debug()))
    }
}

fn utf8(bytes: &[u8], line: u64) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::invalid("CSV is not UTF-8")
            .context("line", line)
            .with_source(error)
    })
}

fn refused(error: csv::Error) -> Error {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        CsvKind::UnequalLengths {
            expected_len, len, ..
        } => Error::invalid(format!(
            "CSV row of {len} fields under a header of {expected_len}"
        ))
        .context("line", line),
        CsvKind::Io(_) => Error::invalid("cannot read the CSV file").with_source(error),
        _ => Error::invalid("malformed CSV")
            .context("line", line)
            .with_source(error),
    }
}

/// Counts what is read, so that one record cannot take all memory.
struct Metered {
    inner: SourceReader,
    /// Bytes since the last record.
    read: usize,
}

impl Read for Metered {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read > MAX_RECORD_BYTES {
            return Err(io::Error::other("a record of more than 64 MiB"));
        }
        let length = self.inner.read(out)?;
        self.read += length;
        Ok(length)
    }
}
