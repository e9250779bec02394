//! `mainstay data snapshot`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mainstay::data::{FileLayout, Patches, SnapshotSpec};
use mainstay::{Error, Name, Result};

use super::chosen::{Chosen, Spelled};
use super::said::{Said, tell};
use crate::cli::Global;
use crate::output::Answer;

/// Store files as the next version of a dataset
///
/// Parquet, CSV, JSON lines and Arrow files become one table with a schema, statistics and digests; other
/// files are kept as they are. Content equal to the latest version's is that version.
///
/// Where table files are not one table, or one is damaged, nothing is stored: --table and --opaque say
/// which files are the table, and the versions that follow are made the same way. A pattern without / names
/// files by their names in any directory. --csv-delimiter and the like say how CSV is spelled, and are kept
/// to in the same way; what is said of either takes the place of all that was said of both.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data snapshot penguins penguins.csv --tag v1
  mainstay data snapshot chats chats.jsonl --branch main --key id
  mainstay data snapshot payments payments.csv --layout canonical
  mainstay data snapshot payments 2024/ --parent payments@3 --meta licence=CC0
  mainstay data snapshot payments 2024/ --branch main --key id
  mainstay data snapshot titanic titanic/ --table 'train*.csv'
  mainstay data snapshot sales sales.csv --csv-delimiter ';' --csv-null NA
  mainstay data snapshot photos photos/ --opaque 'thumbnails/**' --opaque labels.csv
  mainstay data snapshot clean clean.parquet --source raw=payments@3 --transform drop_nulls \\
    --param min=3 --code prepare@9f31c2a")]
pub(crate) struct Snapshot {
    /// The dataset
    name: Name,
    /// Files, or directories whose files are taken
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// How table files are stored
    #[arg(long, value_enum, default_value_t = Layout::Verbatim)]
    layout: Layout,
    /// Store canonical files as patches of the latest version where that is well smaller
    #[arg(long, requires = "layout")]
    patch: bool,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    spelled: Spelled,
    #[command(flatten)]
    said: Said,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Layout {
    /// As they are, so that export gives them back byte by byte
    Verbatim,
    /// Written anew as Parquet, so that versions share what they have in common
    Canonical,
    /// As they are, and not looked into: no tables, whatever their extension
    Plain,
}

impl From<Layout> for FileLayout {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::Verbatim => Self::Verbatim,
            Layout::Canonical => Self::Canonical,
            Layout::Plain => Self::Plain,
        }
    }
}

impl Snapshot {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("snapshot {}", self.name));
        let mut spec = SnapshotSpec::new(self.name, global.actor()?, reason);
        spec.layout = self.layout.into();
        spec.table_files = self.spelled.table_files(self.chosen);
        if self.patch {
            if self.layout != Layout::Canonical {
                let why = "only canonical files are stored as patches: add --layout canonical";
                return Err(Error::invalid(why).context("option", "--patch"));
            }
            spec.patches = Patches::WhereSmaller;
        }
        for path in self.paths {
            spec = spec.with_path(path);
        }
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let spec = self.said.add_to(spec, &view).await?;
        let report = global.telling(workspace.data()).snapshot(spec).await?;
        tell(&report, global.output())?;
        Ok(Answer::Yes)
    }
}
