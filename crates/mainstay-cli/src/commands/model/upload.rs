//! `mainstay model upload`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use mainstay::registry::{Upload as Pending, UploadSpec, files_at, uploads};
use mainstay::{Name, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, bytes, when};

#[derive(Debug, Subcommand)]
pub(crate) enum Upload {
    Start(Start),
    Add(Add),
    Abort(Abort),
    List(List),
    Sweep(Sweep),
}

/// Begin an upload: files that come in several calls, before there is a version
///
/// model register --upload ID makes the version of them, whole, and ends the upload. Until then nobody
/// sees it, and no collection takes its files.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model upload start fraud nightly-7 --expires-after 1d
  mainstay model upload add fraud nightly-7 shards/
  mainstay model register fraud --upload nightly-7 --data payments@7")]
pub(crate) struct Start {
    /// The model that is to have the version
    model: Name,
    /// What the upload is called
    id: Name,
    /// How long until sweep may remove it, as 90s, 5m, 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = args::duration, default_value = "7d")]
    expires_after: Duration,
}

/// Add a file, or a directory of files, to an upload
///
/// A file of the same path is replaced. Again after a failure, bytes that are stored are not stored twice.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model upload add fraud nightly-7 shards/")]
pub(crate) struct Add {
    /// The model
    model: Name,
    /// The upload
    id: Name,
    /// A file, or a directory whose files are taken
    path: PathBuf,
}

/// End an upload without a version
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model upload abort fraud nightly-7")]
pub(crate) struct Abort {
    /// The model
    model: Name,
    /// The upload
    id: Name,
}

/// List the uploads that are under way
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model upload list")]
pub(crate) struct List {}

/// End every upload that has expired
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model upload sweep")]
pub(crate) struct Sweep {}

#[derive(Serialize)]
struct Uploads {
    uploads: Vec<Pending>,
}

#[derive(Serialize)]
struct Change<'a> {
    model: &'a Name,
    id: &'a Name,
    /// The log entry; `None` when there was nothing to change.
    seq: Option<u64>,
}

impl Upload {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Start(command) => command.run(global).await,
            Self::Add(command) => command.run(global).await,
            Self::Abort(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Sweep(command) => command.run(global).await,
        }
    }
}

impl Start {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let expires = workspace.repo().now().saturating_add(self.expires_after);
        let reason = global.reason(format!("begin upload {}", self.id));
        let (model, id) = (&self.model, &self.id);
        let spec = UploadSpec::new(model.clone(), id.clone(), expires, global.actor()?, reason);
        let seq = Some(workspace.models().begin_upload(spec).await?);
        let document = Change { model, id, seq };
        let output = global.output();
        output.result(&document, |out| {
            writeln!(out, "{id}: until {}", when(expires))
        })?;
        Ok(Answer::Yes)
    }
}

impl Add {
    async fn run(self, global: &Global) -> Result<Answer> {
        let models = global.open().await?.models();
        let files = files_at(&self.path).await?;
        let (actor, reason) = (
            global.actor()?,
            global.reason(format!("add to upload {}", self.id)),
        );
        let added = models.upload(&self.model, &self.id, &files, actor, reason);
        let upload = added.await?;
        let output = global.output();
        output.result(&upload, |out| writeln!(out, "{}", summary(&upload)))?;
        Ok(Answer::Yes)
    }
}

impl Abort {
    async fn run(self, global: &Global) -> Result<Answer> {
        let models = global.open().await?.models();
        let (model, id) = (&self.model, &self.id);
        let reason = global.reason(format!("abort upload {id}"));
        let seq = models
            .abort_upload(model, id, global.actor()?, reason)
            .await?;
        let output = global.output();
        output.result(&Change { model, id, seq }, |_| Ok(()))?;
        if seq.is_none() {
            output.note("no such upload");
        }
        Ok(Answer::Yes)
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<Answer> {
        let uploads = global.open().await?.repo().read(uploads).await?;
        show(global, uploads, "no uploads are under way")
    }
}

impl Sweep {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let now = workspace.repo().now();
        let reason = global.reason("sweep uploads");
        let models = workspace.models();
        let swept = models.sweep_uploads(now, global.actor()?, reason).await?;
        show(global, swept, "no upload has expired")
    }
}

fn show(global: &Global, uploads: Vec<Pending>, none: &str) -> Result<Answer> {
    let document = Uploads { uploads };
    let output = global.output();
    output.result(&document, |out| {
        let mut table = Table::new(["model", "upload", "until", "holds"]);
        for upload in &document.uploads {
            table.row([
                (&upload.model).into(),
                (&upload.id).into(),
                Cell::new(when(upload.expires), DIM),
                summary(upload).into(),
            ]);
        }
        table.write(out)
    })?;
    if document.uploads.is_empty() {
        output.note(none);
    }
    Ok(Answer::Yes)
}

fn summary(upload: &Pending) -> String {
    let size = upload.files.iter().map(|file| file.bytes).sum();
    format!("files {}, {}", upload.files.len(), bytes(size))
}
