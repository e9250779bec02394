//! `mainstay data compact`

use clap::Args;
use mainstay::data::{BranchTarget, SnapshotReport};
use mainstay::{Locator, Name, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;

/// Store a version whole that is stored as patches of another
///
/// Makes a version of the same rows. The versions before stay as they are.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data compact penguins@latest")]
pub(crate) struct Compact {
    /// The version, as name@selector: the latest one, or the one that the branch points to
    #[arg(value_name = "REF", value_parser = args::data)]
    version: Locator,
    /// The branch that moves to the new version; it must point to REF
    #[arg(long)]
    branch: Option<Name>,
}

#[derive(Serialize)]
struct Document {
    version: NodeRef,
    /// The version that was made; nothing when there were no patches.
    compacted: Option<SnapshotReport>,
}

impl Compact {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let version = resolve(&view, &self.version).await?;
        let branch = self.branch.map(BranchTarget::new);
        let reason = global.reason(format!("compact {version}"));
        let datasets = global.telling(workspace.data());
        let compacted = datasets.compact(&version, branch, global.actor()?, reason);
        let document = Document {
            compacted: compacted.await?,
            version,
        };
        // The line of progress makes room for the report.
        drop(datasets);
        global
            .output()
            .result(&document, |out| match &document.compacted {
                Some(made) => writeln!(out, "{}: {} stored whole", made.node, document.version),
                None => writeln!(out, "{} has no patches", document.version),
            })?;
        Ok(Answer::Yes)
    }
}
