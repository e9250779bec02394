//! `mainstay data files`

use std::io::{self, Write};

use clap::Args;
use futures::TryStreamExt as _;
use mainstay::data::{FileChange, FileEntry};
use mainstay::{Locator, Result};
use serde::Serialize;

use super::moment::At;
use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BAD, CAUTION, Cell, GOOD, Table, bytes, files};

/// List the files of a version, or how they differ from an earlier one's
///
/// Of a version of many files, only what is asked for is read.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data files images@2 --below train/cats/
  mainstay data files images --since images@1")]
pub(crate) struct Files {
    /// The dataset version, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
    /// Only files whose paths begin so
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "",
        hide_default_value = true
    )]
    below: String,
    /// Only files that differ from those of this version
    #[arg(long, value_name = "REF", value_parser = args::data)]
    since: Option<Locator>,
    #[command(flatten)]
    moment: At,
}

#[derive(Serialize)]
struct Listing {
    files: Vec<FileEntry>,
}

#[derive(Serialize)]
struct Changes {
    changes: Vec<FileChange>,
}

impl Files {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let datasets = self.moment.datasets(&global.open().await?).await?;
        let node = datasets.resolve(&self.reference).await?;
        let Some(since) = &self.since else {
            let listed = datasets.files_below(&node, &self.below).await?;
            let document = Listing {
                files: listed.try_collect().await?,
            };
            global.output().result(&document, |out| {
                let listed = document.files.iter();
                files(
                    out,
                    listed.map(|file| (file.path.to_string(), file.bytes, file.digest)),
                )
            })?;
            return Ok(Answer::Yes);
        };
        let before = datasets.resolve(since).await?;
        let changes = datasets.file_changes(&before, &node).await?;
        let below = |change: &FileChange| change.path().as_str().starts_with(&self.below);
        let changes = changes.try_filter(|change| std::future::ready(below(change)));
        let document = Changes {
            changes: changes.try_collect().await?,
        };
        let output = global.output();
        output.result(&document, |out| document.write(out))?;
        if document.changes.is_empty() {
            output.note("no file differs");
        }
        Ok(Answer::Yes)
    }
}

impl Changes {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let sides = self.changes.iter().filter_map(|change| match change {
            FileChange::Added(after) => Some((None, Some(after))),
            FileChange::Removed(before) => Some((Some(before), None)),
            FileChange::Changed { before, after } => Some((Some(before), Some(after))),
            _ => None,
        });
        write_changes(sides, out)
    }
}

/// Writes a table of files before and after.
pub(super) fn write_changes<'f>(
    files: impl Iterator<Item = (Option<&'f FileEntry>, Option<&'f FileEntry>)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut table = Table::new(["", "file", "before", "after"]).numbers_in(&[2, 3]);
    for (before, after) in files {
        let (op, path) = match (before, after) {
            (Some(before), Some(after)) if before.path != after.path => (
                Cell::new("renamed", CAUTION),
                format!("{} -> {}", before.path, after.path),
            ),
            (Some(_), Some(after)) => (Cell::new("changed", CAUTION), after.path.to_string()),
            (None, Some(after)) => (Cell::new("added", GOOD), after.path.to_string()),
            (Some(before), None) => (Cell::new("removed", BAD), before.path.to_string()),
            (None, None) => continue,
        };
        let [before, after] =
            [before, after].map(|file| file.map_or_else(String::new, |file| bytes(file.bytes)));
        table.row([op, path.into(), before.into(), after.into()]);
    }
    table.write(out)
}
