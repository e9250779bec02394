//! `mainstay init`

use clap::Args;
use mainstay::{Result, Workspace};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;

/// Create a workspace
///
/// It is made at --repo. A workspace that is there already is left as it is.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay init
  mainstay --repo s3://models/main init")]
pub(crate) struct Init {}

#[derive(Serialize)]
struct Document<'a> {
    repo: &'a str,
    head: u64,
}

impl Init {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = Workspace::create(&global.repo).await?;
        let repo = global.repo.as_str();
        let head = workspace.repo().view().await?.seq();
        let output = global.output();
        output.result(&Document { repo, head }, |out| {
            writeln!(out, "workspace {repo}")
        })?;
        if head > 0 {
            output.note(&format!("it was there already, with {head} log entries"));
        }
        Ok(Answer::Yes)
    }
}
