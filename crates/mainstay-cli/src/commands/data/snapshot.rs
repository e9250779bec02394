//! `mainstay data snapshot`

use crate::commands::resolve;
use std::path::PathBuf;

use clap::Args;
use mainstay::data::SnapshotSpec;
use mainstay::{Locator, Name, Result};

use crate::args::{self, Pair};
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields, bytes};

/// Store files as the next version of a dataset
///
/// Parquet, CSV and Arrow files become one table with a schema, statistics and digests; other files
/// are kept as they are. Content equal to the latest version's is that version.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data snapshot penguins penguins.csv --tag v1
  mainstay data snapshot payments 2024/ --parent payments@3 --meta licence=CC0")]
pub(crate) struct Snapshot {
    /// The dataset
    name: Name,
    /// Files, or directories whose files are taken
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Tag the version; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<Name>,
    /// Say something about the content; may be repeated
    #[arg(long = "meta", value_name = "KEY=VALUE")]
    metadata: Vec<Pair>,
    /// The dataset version this was made from; may be repeated
    #[arg(long = "parent", value_name = "REF", value_parser = args::data)]
    parents: Vec<Locator>,
}

impl Snapshot {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("snapshot {}", self.name));
        let mut spec = SnapshotSpec::new(self.name, global.actor()?, reason);
        spec.tags = self.tags;
        spec.metadata = args::texts(self.metadata, "meta")?;
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        for path in self.paths {
            spec = spec.with_path(path);
        }
        for parent in &self.parents {
            spec = spec.with_parent(resolve(&view, parent).await?);
        }
        let report = workspace.data().snapshot(spec).await?;
        let output = global.output();
        output.result(&report, |out| {
            Fields::new()
                .with("version", Cell::new(&report.node, BOLD))
                .with("snapshot", report.snapshot)
                .with_some("rows", report.rows)
                .with("columns", report.columns.len())
                .with("files", report.files.len())
                .with("new", bytes(report.new_bytes))
                .write(out)
        })?;
        if report.reused {
            output.note("the content is the latest version's: no new version was made");
        }
        Ok(Answer::Yes)
    }
}
