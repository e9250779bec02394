//! `mainstay log`

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay::repo::LogEntry;
use mainstay::{Actor, Digest, Result, Timestamp};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, DIM, Line, when};

/// Show what was done, newest first
///
/// One entry is one change of any number of refs, with who made it and why.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay log -n 5")]
pub(crate) struct Log {
    /// Show at most so many entries
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    limit: usize,
}

#[derive(Serialize)]
struct Document {
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    seq: u64,
    digest: Digest,
    time: Timestamp,
    actor: Actor,
    reason: String,
    refs: Vec<Ref>,
}

#[derive(Serialize)]
struct Ref {
    path: String,
    generation: u64,
    action: &'static str,
}

impl Log {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let newest = workspace.repo().entries_back().take(self.limit);
        let entries: Vec<Entry> = newest.map_ok(Entry::from).try_collect().await?;
        let document = Document { entries };
        let output = global.output();
        output.result(&document, |out| {
            for entry in &document.entries {
                let (time, reason) = (when(entry.time), Line(&entry.reason));
                let Entry { seq, actor, .. } = entry;
                writeln!(
                    out,
                    "{BOLD}{seq}{BOLD:#} {DIM}{time} {actor}{DIM:#} {reason}"
                )?;
                for change in &entry.refs {
                    writeln!(out, "    {} {}", change.action, change.path)?;
                }
            }
            Ok(())
        })?;
        if let Some(oldest) = document.entries.last().filter(|oldest| oldest.seq > 1) {
            output.note(&format!("older entries: {}; see -n", oldest.seq - 1));
        }
        Ok(Answer::Yes)
    }
}

impl From<LogEntry> for Entry {
    fn from(entry: LogEntry) -> Self {
        let refs = entry.changes.into_iter().map(|change| Ref {
            action: match (&change.value, change.previous) {
                (None, _) => "delete",
                (Some(_), None) => "create",
                (Some(_), Some(_)) => "change",
            },
            path: change.path.to_string(),
            generation: change.generation,
        });
        Self {
            seq: entry.seq,
            digest: entry.digest,
            time: entry.time,
            actor: entry.actor,
            reason: entry.reason,
            refs: refs.collect(),
        }
    }
}
