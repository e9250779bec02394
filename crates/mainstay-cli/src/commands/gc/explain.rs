//! `mainstay gc explain`

use clap::Args;
use mainstay::repo::{BlobExplanation, CheckpointExplanation, RefExplanation};
use mainstay::{Digest, Error, Result};
use serde::Serialize;

use super::Keep;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Fields, bytes};

/// Explain why a blob or a checkpoint is kept, or what dropping refs would free
///
/// THING is the sha256:… of a file, or a ref or the beginning of refs, as model/fraud/version, or
/// checkpoint:N, the checkpoint of a log entry.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay gc explain model/fraud
  mainstay gc explain checkpoint:256
  mainstay gc explain sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
pub(crate) struct Explain {
    /// A blob, refs, or a checkpoint
    thing: String,
    #[command(flatten)]
    keep: Keep,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Document {
    Blob(BlobExplanation),
    Refs(RefExplanation),
    Checkpoint(CheckpointExplanation),
}

impl Explain {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let repo = workspace.repo();
        let document = if self.thing.starts_with("sha256:") {
            let blob: Digest = self.thing.parse()?;
            Document::Blob(repo.explain_blob(&blob, &self.keep.options()).await?)
        } else if let Some(entry) = self.thing.strip_prefix("checkpoint:") {
            let seq = entry.parse().map_err(|_| {
                let error = Error::invalid("not the number of a log entry");
                error.context("checkpoint", entry)
            })?;
            let explained = repo.explain_checkpoint(seq, &self.keep.options()).await?;
            if !explained.stored && explained.condemned_since.is_none() {
                return Err(Error::not_found("checkpoint", seq));
            }
            Document::Checkpoint(explained)
        } else {
            let refs = repo.explain_refs(&self.thing).await?;
            if refs.refs == 0 {
                return Err(Error::not_found("ref", &self.thing));
            }
            Document::Refs(refs)
        };
        global.output().result(&document, |out| match &document {
            Document::Blob(blob) => Fields::new()
                .with("blob", blob.blob.to_string())
                .with("stored", yes(blob.stored))
                .with("size", bytes(blob.stored_bytes))
                .with("packs", blob.packs.len() as u64)
                .with_all("named by", &blob.refs)
                .with_all(
                    "history",
                    blob.history
                        .iter()
                        .map(|by| format!("{} in entry {}", by.path, by.seq)),
                )
                .write(out),
            Document::Checkpoint(checkpoint) => Fields::new()
                .with("checkpoint", checkpoint.checkpoint)
                .with("stored", yes(checkpoint.stored))
                .with("superseded", yes(checkpoint.superseded))
                .with_some("condemned since", checkpoint.condemned_since)
                .with("shards", checkpoint.shards)
                .with("size", bytes(checkpoint.stored_bytes))
                .with("exclusive", bytes(checkpoint.exclusive_bytes))
                .write(out),
            Document::Refs(refs) => Fields::new()
                .with("refs", refs.refs)
                .with("blobs", refs.blobs)
                .with("stored", bytes(refs.stored_bytes))
                .with("exclusive", bytes(refs.exclusive_bytes))
                .write(out),
        })?;
        Ok(Answer::Yes)
    }
}

fn yes(whether: bool) -> &'static str {
    if whether { "yes" } else { "no" }
}
