//! `mainstay data show`

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use futures::TryStreamExt as _;
use mainstay::data::stats::{Bound, ColumnStats, ScalarValue};
use mainstay::data::{Column, CsvOptions, FileEntry, Manifest, TableFiles, Transform, VersionInfo};
use mainstay::{Actor, BulkDigest, Digest, Edge, Locator, Name, NodeRef, Result, Timestamp};
use serde::Serialize;

use super::moment::At;
use crate::args;
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{BOLD, Cell, Fields, Table, bytes, files, or_dash, when};

/// So many files are shown to people.
const MAX_FILES: usize = 100;

/// Show one version: columns with their statistics, and files
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data show penguins
  mainstay data show penguins@v1 --json")]
pub(crate) struct Show {
    /// The dataset version, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
    #[command(flatten)]
    moment: At,
}

#[derive(Serialize)]
struct Document<'a> {
    node: &'a NodeRef,
    version: u64,
    snapshot: Digest,
    time: Timestamp,
    actor: &'a Actor,
    reason: &'a str,
    tags: &'a [Name],
    branches: &'a [Name],
    parents: &'a [NodeRef],
    sources: &'a [Edge],
    key: &'a [String],
    repeated_keys: Option<u64>,
    synthetic: bool,
    transform: Option<&'a Transform>,
    table_files: Option<&'a TableFiles>,
    rows: Option<u64>,
    bytes: u64,
    table_digest: Option<BulkDigest>,
    rows_digest: Option<BulkDigest>,
    columns: &'a [Column],
    files: &'a [FileEntry],
    metadata: &'a BTreeMap<String, String>,
}

impl Show {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let datasets = self.moment.datasets(&workspace).await?;
        let node = datasets.resolve(&self.reference).await?;
        let info = datasets.show(&node).await?;
        let manifest = datasets.manifest(&node).await?;
        let files = datasets.files(&node).await?;
        let files: Vec<FileEntry> = files.try_collect().await?;
        let document = Document::of(&info, &manifest, &files);
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
    }
}

impl<'a> Document<'a> {
    fn of(info: &'a VersionInfo, manifest: &'a Manifest, files: &'a [FileEntry]) -> Self {
        let table = manifest.table.as_ref();
        Self {
            node: &info.node,
            version: info.version,
            snapshot: info.snapshot,
            time: info.time,
            actor: &info.actor,
            reason: &info.reason,
            tags: &info.tags,
            branches: &info.branches,
            parents: &info.parents,
            sources: &info.sources,
            key: &info.key,
            repeated_keys: info.repeated_keys,
            synthetic: info.synthetic,
            transform: info.transform.as_ref(),
            table_files: info.table_files.as_ref(),
            rows: info.rows,
            bytes: info.bytes,
            table_digest: table.map(|table| table.table_digest),
            rows_digest: table.map(|table| table.rows_digest),
            columns: manifest.columns(),
            files,
            metadata: &manifest.metadata,
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut fields = Fields::new()
            .with("version", Cell::new(self.node, BOLD))
            .with("snapshot", self.snapshot)
            .with_all("tags", self.tags)
            .with_all("branches", self.branches)
            .with_all("continues", self.parents)
            .with_all("made from", self.sources.iter().map(|edge| &edge.to))
            .with_some("by", self.transform.map(|transform| &transform.name))
            .with_all("key", self.key)
            .with_some(
                "keys",
                self.repeated_keys
                    .filter(|&keys| keys > 0)
                    .map(|keys| format!("{keys} are of several rows")),
            )
            .with_all(
                "table",
                self.table_files.iter().flat_map(|chosen| &chosen.table),
            )
            .with_all(
                "opaque",
                self.table_files.iter().flat_map(|chosen| &chosen.opaque),
            )
            .with_all("csv", self.table_files.into_iter().flat_map(spelled))
            .with_some("origin", self.synthetic.then_some("synthetic"))
            .with("made", format!("{} by {}", when(self.time), self.actor))
            .with("because", self.reason)
            .with_some("rows", self.rows)
            .with("size", bytes(self.bytes));
        for (key, value) in self.metadata {
            fields = fields.with(key, value);
        }
        fields.write(out)?;
        if !self.columns.is_empty() {
            writeln!(out)?;
            self.write_columns(out)?;
        }
        writeln!(out)?;
        let entries = self.files.iter().take(MAX_FILES);
        files(
            out,
            entries.map(|file| (file.path.to_string(), file.bytes, file.digest)),
        )?;
        match self.files.len().checked_sub(MAX_FILES) {
            None | Some(0) => Ok(()),
            Some(more) => writeln!(out, "and {more} more; see mainstay data files"),
        }
    }

    fn write_columns(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new(["column", "type", "nulls", "distinct", "min", "max", "mean"])
            .numbers_in(&[2, 3, 4, 5, 6]);
        for column in self.columns {
            let ColumnStats { numeric, .. } = &column.stats;
            let mean = numeric.as_ref().and_then(|numeric| numeric.mean);
            table.row([
                (&column.name).into(),
                (&column.logical_type).into(),
                column.stats.nulls.into(),
                or_dash(column.stats.distinct).into(),
                bound(column.stats.min.as_ref()).into(),
                bound(column.stats.max.as_ref()).into(),
                or_dash(mean.map(|mean| format!("{mean:.4}"))).into(),
            ]);
        }
        table.write(out)
    }
}

/// Tells how CSV is spelled, where not as ever.
fn spelled(chosen: &TableFiles) -> impl Iterator<Item = String> {
    let CsvOptions {
        delimiter,
        quote,
        nulls,
        headerless,
        ..
    } = &chosen.csv;
    let delimiter = delimiter.map(|delimiter| format!("delimiter {delimiter}"));
    let quote = quote.map(|quote| format!("quote {quote}"));
    let nulls = nulls
        .iter()
        .map(|null| format!("null {}", null.escape_debug()));
    let header = headerless.then(|| "no header".to_owned());
    delimiter
        .into_iter()
        .chain(quote)
        .chain(nulls)
        .chain(header)
}

fn bound(bound: Option<&Bound>) -> String {
    or_dash(bound.map(|bound| match &bound.value {
        ScalarValue::Bool(value) => value.to_string(),
        ScalarValue::Number(value) => value.to_string(),
        ScalarValue::Text(value) if bound.truncated => format!("{value}…"),
        ScalarValue::Text(value) => value.clone(),
    }))
}
