//! `mainstay stats`

use std::fmt;

use clap::Args;
use mainstay::Result;
use mainstay::repo::ReadingStats;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{DIM, Fields, Line, bytes};

/// Count what is stored
///
/// Logical bytes are those of all distinct files; stored bytes are what the workspace takes. Reading is of
/// each file that is in use once, of more than 16 KiB; gc plan --defragment lets it take fewer requests.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay stats --json")]
pub(crate) struct Stats {}

impl Stats {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let stats = global.watching(workspace.repo()).stats().await?;
        global.output().result(&stats, |out| {
            Fields::new()
                .with("stored", bytes(stats.stored_bytes))
                .with("logical", bytes(stats.logical_bytes))
                .with("objects", stats.objects)
                .with("log entries", stats.log_entries)
                .with("checkpoints", stats.checkpoints)
                .with("of checkpoints", bytes(stats.checkpoint_bytes))
                .with("tally objects", stats.tally_objects)
                .with("head", stats.head)
                .with("reading", Reading(&stats.reading))
                .write(out)?;
            for blob in &stats.reading.worst {
                writeln!(
                    out,
                    "{DIM}scattered{DIM:#} {} of {}: {} requests for {}, in one piece {}",
                    blob.blob,
                    Line(blob.path.as_str()),
                    blob.requests,
                    bytes(blob.bytes),
                    blob.least_requests
                )?;
            }
            Ok(())
        })?;
        Ok(Answer::Yes)
    }
}

struct Reading<'s>(&'s ReadingStats);

impl fmt::Display for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(reading) = self;
        let (requests, size) = (reading.requests, bytes(reading.bytes));
        write!(
            f,
            "{requests} requests for {size}, {} a GiB",
            reading.requests_per_gib
        )
    }
}
