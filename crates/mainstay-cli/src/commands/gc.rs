//! `mainstay gc`

mod apply;
mod explain;
mod hold;
mod holds;
mod plan;
mod receipts;
mod release;

use std::time::Duration;

use clap::{Args, Subcommand};
use mainstay::Result;
use mainstay::repo::CollectOptions;

use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Gc {
    Plan(plan::Plan),
    Apply(apply::Apply),
    Explain(explain::Explain),
    Hold(hold::Hold),
    Release(release::Release),
    Holds(holds::Holds),
    Receipts(receipts::Receipts),
}

impl Gc {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Plan(command) => command.run(global).await,
            Self::Apply(command) => command.run(global).await,
            Self::Explain(command) => command.run(global).await,
            Self::Hold(command) => command.run(global).await,
            Self::Release(command) => command.run(global).await,
            Self::Holds(command) => command.run(global).await,
            Self::Receipts(command) => command.run(global).await,
        }
    }
}

/// What to keep.
#[derive(Debug, Clone, Args)]
struct Keep {
    /// Keep every state of the last so many days readable
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    keep_days: u64,
    /// Keep the states of at least so many log entries readable
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_entries: u64,
}

impl Keep {
    fn options(&self) -> CollectOptions {
        const DAY: u64 = 24 * 60 * 60;
        CollectOptions::default()
            .with_keep_history(Duration::from_secs(self.keep_days.saturating_mul(DAY)))
            .with_keep_entries(self.keep_entries)
    }
}

/// What to keep, and how fast to go.
#[derive(Debug, Clone, Args)]
struct Options {
    #[command(flatten)]
    keep: Keep,
    /// How long packs wait before they are condemned, and again before they are deleted
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    grace_hours: u64,
    /// Write a pack again when more than so many percent of it are of no use
    #[arg(long, value_name = "PERCENT", default_value_t = 30)]
    max_unused: u8,
    /// Write at most so many MiB again
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    max_repack: u64,
    /// Also write packs again to bring together what is read together: at most so many KiB for each
    /// request that it saves; 1024 unless said
    #[arg(long, value_name = "KIB", num_args = 0..=1, require_equals = true, default_value_t = 0, default_missing_value = "1024", hide_default_value = true)]
    defragment: u64,
}

impl Options {
    fn collect(&self) -> CollectOptions {
        self.keep
            .options()
            .with_grace(Duration::from_secs(self.grace_hours.saturating_mul(3600)))
            .with_max_unused_percent(self.max_unused)
            .with_max_repack_bytes(self.max_repack.saturating_mul(1 << 20))
            .with_defragment_bytes_per_request(self.defragment.saturating_mul(1 << 10))
    }
}
