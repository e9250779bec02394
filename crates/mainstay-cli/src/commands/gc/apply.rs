//! `mainstay gc apply`

use std::path::PathBuf;

use clap::Args;
use mainstay::repo::CollectionPlan;
use mainstay::{Error, Result};

use super::Options;
use crate::args::read_file;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Fields, bytes};

/// A plan is not longer.
const MAX_PLAN: usize = 64 << 20;

/// Collect what is of no use: one step of waiting, condemning and deleting
///
/// Run it as often as the grace is long, as every day. A crash loses nothing; the next run goes on.
/// With --plan nothing is condemned or deleted that the plan does not name.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay gc apply
  mainstay gc apply --keep-days 30 --grace-hours 48")]
pub(crate) struct Apply {
    /// What gc plan --json wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "keep_days", "keep_entries", "grace_hours", "max_unused", "max_repack", "defragment",
    ])]
    plan: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

impl Apply {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let plan = if let Some(path) = &self.plan {
            let plan = serde_json::from_slice::<CollectionPlan>(&read_file(path, MAX_PLAN)?);
            plan.map_err(|error| {
                let error = Error::invalid("not a plan").with_source(error);
                error.context("path", path.display())
            })?
        } else {
            let planning = global.watching(workspace.repo());
            planning.plan_collection(&self.options.collect()).await?
        };
        let repo = global.watching(workspace.repo());
        let (actor, reason) = (global.actor()?, global.reason("collect"));
        let report = repo.apply_collection(&plan, actor, reason).await?;
        // The line of progress makes room for the report.
        drop(repo);
        global.output().result(&report, |out| {
            Fields::new()
                .with("waiting", report.waiting)
                .with("condemned", report.condemned)
                .with("deleted", report.deleted.len() as u64)
                .with("condemned checkpoints", report.checkpoints.condemned)
                .with("deleted checkpoints", report.checkpoints.deleted)
                .with("deleted shards", report.checkpoints.deleted_shards)
                .with("freed", bytes(report.freed_bytes))
                .with("written", bytes(report.written_bytes))
                .with_some("entry", report.seq)
                .write(out)
        })?;
        Ok(Answer::Yes)
    }
}
