//! `mainstay data tag`

use clap::Args;
use mainstay::{Locator, Name, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;

/// Give a version a new tag
///
/// A tag stays where it is: it is refused when it exists on another version.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data tag penguins@3 clean")]
pub(crate) struct Tag {
    /// The dataset version, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
    /// The tag
    tag: Name,
}

#[derive(Serialize)]
struct Document<'a> {
    node: &'a NodeRef,
    tag: &'a Name,
}

impl Tag {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let Self { reference, tag } = self;
        let workspace = global.open().await?;
        let node = workspace.resolve(&reference).await?;
        let reason = global.reason(format!("tag {tag}"));
        let actor = global.actor()?;
        workspace.data().tag(&node, &tag, actor, reason).await?;
        let document = Document {
            node: &node,
            tag: &tag,
        };
        global
            .output()
            .result(&document, |out| writeln!(out, "{tag} -> {node}"))?;
        Ok(Answer::Yes)
    }
}
