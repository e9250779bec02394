//! `mainstay push`, `mainstay pull`

use std::io::{self, Write};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use mainstay::repo::{BlobCheck, ReplicateOptions, ReplicateReport};
use mainstay::{Result, Workspace};

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Fields, bytes};

/// Replicate this workspace into another one
///
/// Brings refs with their whole history, and the bytes they name, to URL; the next time what is new
/// since then. Whatever interrupts it, the next call goes on from there, and bytes that are there are
/// not sent again. Refs that were changed there by others are named and left alone (exit code 4).
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay push /mnt/backup/models --create
  mainstay push s3://acme-prod/models --ref model/fraud --ref data/payments
  mainstay push /mnt/mirrors --namespace mirror/acme")]
pub(crate) struct Push {
    /// The other workspace, as for --repo
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    url: String,
    /// Create it if it is not there
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    selection: Selection,
}

/// Replicate another workspace into this one
///
/// As push, in the other direction: brings what is new at URL here. So does a backup come back, into a
/// new workspace.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay pull /mnt/backup/models
  mainstay pull /mnt/mirrors --from-namespace mirror/acme
  mainstay pull https://models.example.org/public --ref model/species --check-whole")]
pub(crate) struct Pull {
    /// The other workspace, as for --repo
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    url: String,
    #[command(flatten)]
    selection: Selection,
}

/// What is replicated, and where to.
#[derive(Debug, Args)]
struct Selection {
    /// Only refs at or below this path; may be repeated
    #[arg(long = "ref", value_name = "PREFIX")]
    refs: Vec<String>,
    /// Put the refs below this path there
    #[arg(long, value_name = "NS", default_value = "", hide_default_value = true)]
    namespace: String,
    /// Only refs below this path, named without it there
    #[arg(long, value_name = "NS", default_value = "", hide_default_value = true)]
    from_namespace: String,
    /// Read all of each file that is copied and check its SHA-256, for a source you do not trust
    #[arg(long)]
    check_whole: bool,
}

impl Push {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let source = global.open().await?;
        let target = if self.create {
            Workspace::create(&self.url).await?
        } else {
            Workspace::open(&self.url).await?
        };
        let options = self.selection.options(global, "push");
        replicate(&source, &target, options, global).await
    }
}

impl Pull {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let target = global.open().await?;
        let source = Workspace::open(&self.url).await?;
        let options = self.selection.options(global, "pull");
        replicate(&source, &target, options, global).await
    }
}

impl Selection {
    fn options(self, global: &Global, command: &str) -> ReplicateOptions {
        let options = ReplicateOptions::default()
            .with_refs(self.refs)
            .with_namespace(self.namespace)
            .with_source_namespace(self.from_namespace)
            .with_check(if self.check_whole {
                BlobCheck::Whole
            } else {
                BlobCheck::Chunks
            })
            .with_reason(global.reason(command));
        match global.output().progress() {
            Some(progress) => options.with_progress(progress),
            None => options,
        }
    }
}

async fn replicate(
    source: &Workspace,
    target: &Workspace,
    options: ReplicateOptions,
    global: &Global,
) -> Result<Answer> {
    let report = source.replicate(target, &options, global.actor()?).await?;
    // The line of progress makes room for the report.
    drop(options);
    global.output().result(&report, |out| write(&report, out))?;
    Ok(Answer::Yes)
}

fn write(report: &ReplicateReport, out: &mut dyn Write) -> io::Result<()> {
    let some = |count: u64| (count > 0).then_some(count);
    Fields::new()
        .with("up to entry", report.seq)
        .with("entries", report.entries)
        .with("transactions", report.transactions)
        .with("changes", report.changes)
        .with_some("already there", some(report.changes_already_there))
        .with("blobs", report.blobs)
        .with_some("blobs collected before", some(report.blobs_collected))
        .with("read", bytes(report.read_bytes))
        .with("written", bytes(report.written_bytes))
        .write(out)
}
