//! `mainstay prompt publish`

use std::path::PathBuf;

use clap::Args;
use mainstay::prompt::{MAX_CONTENT_BYTES, PromptContent};
use mainstay::{Digest, Name, NodeRef, Result};
use serde::Serialize;
use serde_json::Value as Json;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields};

/// Publish a file as the next version of a prompt
///
/// A .txt or .md file is one text; a .json file also holds messages, variables and the inference
/// configuration. Variables are written {{name}}. Content equal to the latest version's is that
/// version.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay prompt publish support support.md --label staging")]
pub(crate) struct Publish {
    /// The prompt
    #[arg(value_name = "KEY")]
    name: Name,
    /// The file
    file: PathBuf,
    /// Point a label to the version; may be repeated
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<Name>,
}

#[derive(Serialize)]
struct Document<'a> {
    node: &'a NodeRef,
    prompt: &'a Name,
    version: Json,
    digest: Digest,
    created: bool,
    moved_labels: &'a [Name],
}

impl Publish {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let bytes = args::read_file(&self.file, MAX_CONTENT_BYTES)?;
        let content = PromptContent::from_file_bytes(&self.file.to_string_lossy(), &bytes)?;
        let reason = global.reason(format!("publish {}", self.name));
        let workspace = global.open().await?;
        let published = workspace
            .prompts()
            .publish(&self.name, content, &self.labels, global.actor()?, &reason)
            .await?;
        let document = Document {
            node: &published.node,
            prompt: &self.name,
            version: args::version(&published.node),
            digest: published.digest,
            created: published.created,
            moved_labels: &published.moved_labels,
        };
        let output = global.output();
        output.result(&document, |out| {
            Fields::new()
                .with("version", Cell::new(&published.node, BOLD))
                .with("digest", published.digest)
                .with_all("labels", &published.moved_labels)
                .write(out)
        })?;
        if !published.created {
            output.note("the content is the latest version's: no new version was made");
        }
        Ok(Answer::Yes)
    }
}
