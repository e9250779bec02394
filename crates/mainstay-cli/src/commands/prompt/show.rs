//! `mainstay prompt show`

use clap::Args;
use mainstay::prompt::{Body, PromptContent, PromptVersion, Prompts};
use mainstay::{Digest, Locator, Name, NodeRef, Result, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields, Line, when};

/// Show one version: its text, variables and inference configuration
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay prompt show support@production")]
pub(crate) struct Show {
    /// The prompt version, as key@selector
    #[arg(value_name = "REF", value_parser = args::prompt)]
    reference: Locator,
}

#[derive(Serialize)]
struct Document<'a> {
    node: &'a NodeRef,
    version: Json,
    digest: Digest,
    published_at: Timestamp,
    labels: Vec<Name>,
    variables: Vec<Variable<'a>>,
    content: &'a PromptContent,
}

#[derive(Serialize)]
struct Variable<'a> {
    name: &'a str,
    required: bool,
}

impl Show {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let shown = view.read(|view| {
            let version = workspace.prompts().find(view, &self.reference)?;
            let labels = Prompts::labels(view, version.node.name())?;
            Ok((version, labels))
        });
        let (version, labels) = shown.await?;
        let labels = labels.into_iter().filter(|(_, node)| *node == version.node);
        let document = Document::of(&version, labels.map(|(label, _)| label).collect());
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
    }
}

impl<'a> Document<'a> {
    fn of(version: &'a PromptVersion, labels: Vec<Name>) -> Self {
        let variables = version.prompt.variables();
        Self {
            node: &version.node,
            version: args::version(&version.node),
            digest: version.digest,
            published_at: version.published_at,
            labels,
            variables: variables
                .map(|(name, required)| Variable { name, required })
                .collect(),
            content: version.prompt.content(),
        }
    }

    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let variables = self.variables.iter().map(|variable| {
            let optional = if variable.required { "" } else { " (optional)" };
            format!("{}{optional}", variable.name)
        });
        let inference = &self.content.inference;
        let inference = (!inference.is_empty()).then(|| serde_json::to_string(inference));
        Fields::new()
            .with("version", Cell::new(self.node, BOLD))
            .with("digest", self.digest)
            .with("published", when(self.published_at))
            .with_all("labels", &self.labels)
            .with_all("variables", variables)
            .with_some("inference", inference.transpose()?)
            .write(out)?;
        match &self.content.body {
            Body::Text(text) => {
                writeln!(out)?;
                text.lines()
                    .try_for_each(|line| writeln!(out, "{}", Line(line)))
            }
            Body::Chat(messages) => messages.iter().try_for_each(|message| {
                writeln!(out, "\n{BOLD}[{}]{BOLD:#}", message.role)?;
                let mut lines = message.content.lines();
                lines.try_for_each(|line| writeln!(out, "{}", Line(line)))
            }),
            _ => Ok(()),
        }
    }
}
