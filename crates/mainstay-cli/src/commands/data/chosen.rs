//! Which files are the table, and how they are spelled, as the user says.

use clap::Args;
use mainstay::data::{CsvDelimiter, CsvOptions, CsvQuote, PathPattern, TableFiles};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which files are the table")]
pub(super) struct Chosen {
    /// The files of the table, as '*.csv' or 'train/**', where not all that could be are one table; may be
    /// repeated
    #[arg(long = "table", value_name = "PATTERN")]
    table: Vec<PathPattern>,
    /// Files that are stored as they are and not looked into; may be repeated
    #[arg(long, value_name = "PATTERN")]
    opaque: Vec<PathPattern>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "How CSV files are spelled")]
pub(super) struct Spelled {
    /// What stands between fields: one character, or tab
    #[arg(long = "csv-delimiter", value_name = "CHAR")]
    delimiter: Option<CsvDelimiter>,
    /// What stands around fields that need it: one character, or '' for nothing
    #[arg(long = "csv-quote", value_name = "CHAR")]
    quote: Option<CsvQuote>,
    /// A text that is null, as NA, beside the empty one; may be repeated
    #[arg(long = "csv-null", value_name = "TEXT")]
    nulls: Vec<String>,
    /// The first line is a row and not the header: columns are numbered
    #[arg(long = "csv-no-header")]
    headerless: bool,
}

impl Spelled {
    /// Returns what was said of files; `None` when nothing was.
    pub(super) fn table_files(self, chosen: Chosen) -> Option<TableFiles> {
        let mut csv = CsvOptions::new();
        csv.delimiter = self.delimiter;
        csv.quote = self.quote;
        csv.nulls = self.nulls.into_iter().collect();
        csv.headerless = self.headerless;
        let mut files = TableFiles::new().with_csv(csv);
        files.table = chosen.table;
        files.opaque = chosen.opaque;
        (files != TableFiles::new()).then_some(files)
    }
}
