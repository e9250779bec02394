//! `mainstay gc release`

use clap::Args;
use mainstay::Result;
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;

/// End a hold, so that what it kept may go
///
/// What no other ref needs is collected once it has left the kept history.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay gc release case-7 --reason \"the case is closed\"")]
pub(crate) struct Release {
    /// The hold
    name: String,
}

#[derive(Serialize)]
struct Document<'a> {
    released: &'a str,
}

impl Release {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let (actor, reason) = (global.actor()?, global.reason("release the hold"));
        let workspace = global.open().await?;
        let repo = workspace.repo();
        repo.release_hold(&self.name, actor, reason).await?;
        let document = Document {
            released: &self.name,
        };
        let output = global.output();
        output.result(&document, |out| writeln!(out, "released {}", self.name))?;
        Ok(Answer::Yes)
    }
}
