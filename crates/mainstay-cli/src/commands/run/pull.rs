//! `mainstay run pull`

use std::path::PathBuf;

use clap::Args;
use mainstay::registry::ArtifactFile;
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;
use crate::text::bytes;

/// Write the files of a run to a directory that is absent or empty
///
/// All of them or none, each checked against its digest. The files of models that it made are those of
/// their versions: see model pull.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay run pull churn@c0ffee ./files")]
pub(crate) struct Pull {
    /// The run, as experiment@id
    #[arg(value_name = "RUN", value_parser = args::run)]
    reference: Locator,
    /// Where to
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

#[derive(Serialize)]
struct Document<'a> {
    run: &'a NodeRef,
    files: &'a [ArtifactFile],
    bytes: u64,
}

impl Pull {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let run = &resolve(&view, &self.reference).await?;
        let runs = workspace.runs();
        let files = &runs
            .pull(&view, &run.clone().into(), &self.directory)
            .await?;
        let document = Document {
            run,
            files,
            bytes: files.iter().map(|file| file.bytes).sum(),
        };
        global.output().result(&document, |out| {
            let (files, size) = (files.len(), bytes(document.bytes));
            writeln!(out, "{run}: files {files}, {size}")
        })?;
        Ok(Answer::Yes)
    }
}
