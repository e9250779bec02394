//! The types of columns whose files do not tell them.

use mainstay_core::Result;

use super::csv::{self, CsvSchema};
use super::jsonl::{self, JsonSchema};
use super::{CsvOptions, JsonType, TableFormat};
use crate::passing::Passing;
use crate::report::NullLike;
use crate::source::Source;
use crate::{Manifest, Table};

/// The types of the columns of a table's text files, as all of them together say.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TextTypes {
    pub(super) csv: CsvSchema,
    pub(super) json: JsonSchema,
}

impl TextTypes {
    /// Recalls them from a manifest.
    pub(crate) fn recall(manifest: &Manifest) -> Self {
        manifest.table.as_ref().map(Self::of).unwrap_or_default()
    }

    /// Recalls them from a table.
    pub(crate) fn of(table: &Table) -> Self {
        let (columns, options) = (&table.columns, table.csv.clone());
        let spelled = columns.iter();
        let spelled = spelled.map(|c| (c.name.as_str(), c.logical_type.as_str()));
        let json = columns.iter();
        let json = json.filter_map(|c| Some((c.name.clone(), c.json.clone()?)));
        Self {
            csv: CsvSchema::recall(options.unwrap_or_default(), spelled),
            json: JsonSchema::new(json.collect()),
        }
    }

    /// The same columns, of which every value of a text file is text as it is spelled; JSON lines have one more,
    /// last, that is the line.
    pub(crate) fn as_text(&self) -> Self {
        Self {
            csv: self.csv.as_text(),
            json: self.json.as_text(),
        }
    }

    /// Returns how CSV files are spelled; `None` where that is as ever, or no file is CSV.
    pub(crate) fn csv_options(&self) -> Option<&CsvOptions> {
        self.csv.options()
    }

    /// Reports whether JSON lines have the same columns, in any order, and spell their values alike.
    pub(crate) fn is_json_alike(&self, other: &Self) -> bool {
        self.json.is_alike(&other.json)
    }

    /// Returns how JSON lines spell the values of a column; `None` when no file is JSON lines.
    pub(crate) fn json(&self, column: &str) -> Option<&JsonType> {
        self.json.type_of(column)
    }
}

/// Finds the types of the columns of text files.
#[derive(Debug)]
pub(crate) struct Inference {
    csv: csv::Inference,
    json: jsonl::Inference,
}

impl Inference {
    /// Begins with no file; CSV files to come are spelled as `options` say.
    pub(crate) fn new(options: &CsvOptions) -> Self {
        Self {
            csv: csv::Inference::new(options.clone()),
            json: jsonl::Inference::default(),
        }
    }

    /// Reads a file, unless it brings its types, and counts its rows.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is malformed or its columns are not those of
    /// the files before; [`Unsupported`](mainstay_core::ErrorKind::Unsupported) when it has too many.
    pub(crate) fn add(
        &mut self,
        format: TableFormat,
        open: impl FnOnce() -> Result<Source>,
        rows: &mut Passing,
    ) -> Result<()> {
        let told = |source: &Source, outcome: Result<()>| {
            outcome.map_err(|error| source.take_failure().unwrap_or(error))
        };
        match format {
            TableFormat::Csv { delimiter } => {
                let source = open()?;
                told(&source, self.csv.add(&source, delimiter, rows))
            }
            TableFormat::JsonLines => {
                let source = open()?;
                told(&source, self.json.add(&source, rows))
            }
            TableFormat::Parquet | TableFormat::Ipc => Ok(()),
        }
    }

    /// Finds the columns of CSV files that are text only for fields that others write where a value is missing.
    pub(crate) fn null_like(&self) -> Vec<NullLike> {
        self.csv.null_like()
    }

    pub(crate) fn finish(self) -> TextTypes {
        TextTypes {
            csv: self.csv.finish(),
            json: self.json.finish(),
        }
    }
}
