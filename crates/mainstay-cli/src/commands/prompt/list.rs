//! `mainstay prompt list` and `mainstay prompt log`

use clap::Args;
use futures::TryStreamExt as _;
use mainstay::prompt::{LogLine, PromptSummary, Prompts};
use mainstay::{Actor, Digest, Error, Name, NodeRef, Result, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, joined, when};

/// List the prompts
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay prompt list")]
pub(crate) struct List {}

/// List the versions of a prompt, newest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay prompt log support")]
pub(crate) struct Log {
    /// The prompt
    #[arg(value_name = "KEY")]
    name: Name,
}

#[derive(Serialize)]
struct Listing {
    prompts: Vec<Summary>,
}

#[derive(Serialize)]
struct Summary {
    prompt: Name,
    latest: NodeRef,
    published_at: Timestamp,
    versions: usize,
    labels: Vec<LabelAt>,
}

#[derive(Serialize)]
struct LabelAt {
    label: Name,
    version: Json,
}

#[derive(Serialize)]
struct Versions {
    versions: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    node: NodeRef,
    version: Json,
    digest: Digest,
    time: Timestamp,
    actor: Actor,
    reason: String,
    labels: Vec<Name>,
}

impl List {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let view = global.open().await?.repo().view().await?;
        let prompts = view.read(Prompts::list).await?;
        let prompts = prompts.into_iter().map(Summary::from).collect();
        let document = Listing { prompts };
        let output = global.output();
        output.result(&document, |out| {
            let mut table =
                Table::new(["prompt", "latest", "published", "labels"]).numbers_in(&[1]);
            for prompt in &document.prompts {
                let labels = prompt
                    .labels
                    .iter()
                    .map(|at| format!("{}={}", at.label, at.version));
                table.row([
                    (&prompt.prompt).into(),
                    prompt.latest.version().into(),
                    Cell::new(when(prompt.published_at), DIM),
                    joined(labels).into(),
                ]);
            }
            table.write(out)
        })?;
        if document.prompts.is_empty() {
            output.note("no prompts; see mainstay prompt publish");
        }
        Ok(Answer::Yes)
    }
}

impl Log {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let lines = workspace.prompts().log(&view, &self.name);
        let versions: Vec<Entry> = lines.map_ok(Entry::from).try_collect().await?;
        if versions.is_empty() {
            return Err(Error::not_found("prompt", &self.name));
        }
        let document = Versions { versions };
        global.output().result(&document, |out| {
            let head = ["version", "labels", "published", "by", "reason"];
            let mut table = Table::new(head).numbers_in(&[0]);
            for version in &document.versions {
                table.row([
                    version.node.version().into(),
                    joined(&version.labels).into(),
                    Cell::new(when(version.time), DIM),
                    (&version.actor).into(),
                    (&version.reason).into(),
                ]);
            }
            table.write(out)
        })?;
        Ok(Answer::Yes)
    }
}

impl From<PromptSummary> for Summary {
    fn from(summary: PromptSummary) -> Self {
        let labels = summary.labels.into_iter().map(|(label, node)| LabelAt {
            label,
            version: args::version(&node),
        });
        Self {
            prompt: summary.name,
            latest: summary.latest,
            published_at: summary.published_at,
            versions: summary.versions,
            labels: labels.collect(),
        }
    }
}

impl From<LogLine> for Entry {
    fn from(line: LogLine) -> Self {
        Self {
            version: args::version(&line.node),
            node: line.node,
            digest: line.digest,
            time: line.time,
            actor: line.actor,
            reason: line.reason,
            labels: line.labels,
        }
    }
}
