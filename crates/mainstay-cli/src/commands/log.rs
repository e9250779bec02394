//! `mainstay log`

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay::repo::{LogEntry, Position};
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
  mainstay log -n 5
  mainstay log --after 120 --json")]
pub(crate) struct Log {
    /// Show at most so many entries
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    limit: usize,

    /// Show what follows this position instead, oldest first; 0 is the beginning
    #[arg(long, value_name = "POSITION")]
    after: Option<Position>,
}

#[derive(Serialize)]
struct Document {
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    seq: u64,
    position: String,
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
        let repo = workspace.repo();
        let asked = match self.after {
            Some(after) => repo.entries(after),
            None => repo.entries_back(),
        };
        let asked = asked.take(self.limit).map_ok(Entry::from);
        let entries: Vec<Entry> = asked.try_collect().await?;
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
        match document.entries.last() {
            Some(newest) if self.after.is_some() => {
                output.note(&format!("read on with --after {}", newest.position));
            }
            Some(oldest) if oldest.seq > 1 => {
                output.note(&format!("older entries: {}; see -n", oldest.seq - 1));
            }
            _ => {}
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
            position: entry.position.to_string(),
            digest: entry.digest,
            time: entry.time,
            actor: entry.actor,
            reason: entry.reason,
            refs: refs.collect(),
        }
    }
}
