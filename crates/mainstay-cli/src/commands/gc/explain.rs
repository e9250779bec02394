//! `mainstay gc explain`

use clap::Args;
use mainstay::repo::{BlobExplanation, RefExplanation};
use mainstay::{Digest, Error, Result};
use serde::Serialize;

use super::Keep;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Fields, bytes};

/// Explain why a blob is kept, or what dropping refs would free
///
/// THING is the sha256:… of a file, or a ref or the beginning of refs, as model/fraud/version.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay gc explain model/fraud
  mainstay gc explain sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
pub(crate) struct Explain {
    /// A blob, or refs
    thing: String,
    #[command(flatten)]
    keep: Keep,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Document {
    Blob(BlobExplanation),
    Refs(RefExplanation),
}

impl Explain {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let repo = workspace.repo();
        let document = if self.thing.starts_with("sha256:") {
            let blob: Digest = self.thing.parse()?;
            Document::Blob(repo.explain_blob(&blob, &self.keep.options()).await?)
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
                .with("stored", if blob.stored { "yes" } else { "no" })
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
