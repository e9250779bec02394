//! Reading CSV files: RFC 4180 with a header line, where options do not say otherwise.
//!
//! An empty field is null, quoted or not. A blank line is no row. The types of the columns are those
//! that every field of a column allows; `docs/formats/data-snapshot.md` has the grammar.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use mainstay_core::{Error, Result};

mod build;
mod field;
mod infer;
mod options;
mod records;

pub(crate) use infer::Inference;
pub use options::{CsvDelimiter, CsvOptions, CsvQuote};

use super::OpenTable;
use crate::source::Source;
use build::Batches;
use field::CsvType;
use records::Records;

/// Names and types of the columns of the CSV files of a table, and how these are spelled.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CsvSchema {
    options: CsvOptions,
    columns: Vec<(String, CsvType)>,
    /// Whether fields are read as they are spelled.
    spelled: bool,
}

impl CsvSchema {
    /// Recalls the schema from the logical types of a manifest; columns whose type no CSV file can
    /// have belong to other files and are left out.
    pub(crate) fn recall<'a>(
        options: CsvOptions,
        columns: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        Self {
            options,
            columns: columns
                .filter_map(|(name, spelled)| Some((name.to_owned(), CsvType::parse(spelled)?)))
                .collect(),
            spelled: false,
        }
    }

    /// The same columns, of which every field is text as it is spelled: none is null.
    pub(super) fn as_text(&self) -> Self {
        let columns = self.columns.iter();
        Self {
            options: self.options.clone(),
            columns: columns
                .map(|(name, _)| (name.clone(), CsvType::Text))
                .collect(),
            spelled: true,
        }
    }

    /// Returns how the files are spelled; `None` where that is as ever, or there are none.
    pub(super) fn options(&self) -> Option<&CsvOptions> {
        let is_said = !self.options.is_default() && !self.columns.is_empty();
        is_said.then_some(&self.options)
    }

    fn type_of(&self, name: &str) -> Option<CsvType> {
        self.columns
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, csv_type)| *csv_type)
    }
}

/// Opens a CSV file; reads only the columns in `wanted`, in file order, when given.
pub(super) fn open(
    source: &Source,
    delimiter: u8,
    schema: &CsvSchema,
    wanted: Option<&[String]>,
) -> Result<OpenTable> {
    let mut records = Records::open(source, delimiter, &schema.options)?;
    if schema.spelled {
        records.without_nulls();
    }
    let types = records
        .names()
        .iter()
        .map(|name| {
            schema.type_of(name).ok_or_else(|| {
                Error::invalid("a column that the other files do not have")
                    .context("column", name.escape_debug())
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let fields = records.names().iter().zip(&types);
    let fields: Vec<Field> = fields
        .map(|(name, csv_type)| Field::new(name, csv_type.arrow(), true))
        .collect();
    let chosen: Vec<usize> = (0..fields.len())
        .filter(|&index| wanted.is_none_or(|wanted| wanted.contains(fields[index].name())))
        .collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let projected: Vec<(usize, CsvType)> = chosen.iter().map(|&i| (i, types[i])).collect();
    Ok(OpenTable {
        batches: Box::new(Batches::new(records, &schema, projected)),
        schema,
    })
}

impl CsvType {
    fn arrow(self) -> DataType {
        use arrow::datatypes::TimeUnit::{Microsecond, Nanosecond};
        let zone = Some(Arc::from("UTC"));
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::LocalMicros => DataType::Timestamp(Microsecond, None),
            Self::LocalNanos => DataType::Timestamp(Nanosecond, None),
            Self::UtcMicros => DataType::Timestamp(Microsecond, zone),
            Self::UtcNanos => DataType::Timestamp(Nanosecond, zone),
            Self::Text => DataType::Utf8,
        }
    }
}
