//! Which files are the table, as the user says.

use clap::Args;
use mainstay::data::{PathPattern, TableFiles};

#[derive(Debug, Args)]
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

impl Chosen {
    /// Returns what was said; `None` when nothing was.
    pub(super) fn table_files(self) -> Option<TableFiles> {
        let mut chosen = TableFiles::new();
        let is_said = !self.table.is_empty() || !self.opaque.is_empty();
        chosen.table = self.table;
        chosen.opaque = self.opaque;
        is_said.then_some(chosen)
    }
}
