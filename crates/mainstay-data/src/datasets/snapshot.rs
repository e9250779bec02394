//! Taking a snapshot: scan, store, commit.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mainstay_core::{Digest, Edge, Error, Name, NodeKind, NodeRef, Result, canon};
use mainstay_repo::{Expectation, Layout, Repo, Series, Step, Transaction, Value, View};

use super::tags::{check_tag, set_tag};
use super::version_number;
use crate::format::{TableFormat, layout, media_type};
use crate::input::{InputFile, Origin, gather};
use crate::record::VersionRecord;
use crate::report::{ColumnReport, FileReport};
use crate::scan::{TableFile, scan};
use crate::{FileEntry, Manifest, SnapshotReport, SnapshotSpec, Table, blocking};

pub(super) async fn snapshot(repo: &Repo, spec: SnapshotSpec) -> Result<SnapshotReport> {
    for tag in &spec.tags {
        check_tag(tag)?;
    }
    let inputs = spec.inputs.clone();
    let prepared = blocking::run(move || prepare(&inputs)).await?;
    let stored = store(repo, prepared, spec.metadata.clone()).await?;
    commit(repo, &spec, stored).await
}

/// The files of a snapshot, scanned and not yet stored.
struct Prepared {
    files: Vec<InputFile>,
    /// Rows of each file; `None` where it is not a table file.
    rows: Vec<Option<u64>>,
    /// Where each file is best cut; `None` where its content says it as well.
    layouts: Vec<Option<Layout>>,
    table: Option<Table>,
}

/// Finds and scans the files, so that bad input is refused before anything is stored.
fn prepare(inputs: &[crate::SnapshotInput]) -> Result<Prepared> {
    let files = gather(inputs)?;
    let tables: Vec<TableFile<'_>> = files.iter().filter_map(table_file).collect();
    let (table, table_rows) = scan(&tables)?.unzip();
    let mut table_rows = table_rows.unwrap_or_default().into_iter();
    let rows = files
        .iter()
        .map(|file| TableFormat::of(&file.path).and_then(|_| table_rows.next()))
        .collect();
    let layouts = files.iter().map(layout_of).collect::<Result<_>>()?;
    Ok(Prepared {
        files,
        rows,
        layouts,
        table,
    })
}

fn layout_of(file: &InputFile) -> Result<Option<Layout>> {
    let Some(format) = TableFormat::of(&file.path) else {
        return Ok(None);
    };
    Ok(layout(&file.origin.open()?, format))
}

fn table_file(file: &InputFile) -> Option<TableFile<'_>> {
    TableFormat::of(&file.path).map(|format| TableFile {
        path: &file.path,
        format,
        origin: &file.origin,
    })
}

/// A snapshot whose blobs are durable and that no ref names yet.
struct Stored {
    manifest: Manifest,
    snapshot: Digest,
    new_bytes: u64,
}

async fn store(
    repo: &Repo,
    prepared: Prepared,
    metadata: BTreeMap<String, String>,
) -> Result<Stored> {
    let mut ingest = repo.ingest();
    let mut new_bytes = 0;
    let mut entries = Vec::with_capacity(prepared.files.len());
    let described = prepared.rows.into_iter().zip(prepared.layouts);
    for (file, (rows, layout)) in prepared.files.into_iter().zip(described) {
        let blob = match (&file.origin, layout) {
            (Origin::Disk { path, .. }, Some(layout)) => ingest.file_with(path, layout).await?,
            (Origin::Disk { path, .. }, None) => ingest.file(path).await?,
            (Origin::Memory(bytes), Some(layout)) => {
                ingest.bytes_with(bytes.clone(), layout).await?
            }
            (Origin::Memory(bytes), None) => ingest.bytes(bytes.clone()).await?,
        };
        let origin = file.origin;
        blocking::run(move || origin.check_unchanged(blob.size)).await?;
        new_bytes += blob.new_bytes;
        entries.push(FileEntry {
            media_type: media_type(&file.path).to_owned(),
            path: file.path,
            digest: blob.digest,
            bytes: blob.size,
            rows,
        });
    }
    let manifest = Manifest::new(prepared.table, entries, metadata);
    let blob = ingest.bytes(Bytes::from(canon::to_vec(&manifest)?)).await?;
    ingest.finish().await?;
    Ok(Stored {
        manifest,
        snapshot: blob.digest,
        new_bytes: new_bytes + blob.new_bytes,
    })
}

async fn commit(repo: &Repo, spec: &SnapshotSpec, stored: Stored) -> Result<SnapshotReport> {
    let record = VersionRecord::new(&stored.manifest, stored.snapshot);
    let files = stored.manifest.files.iter().map(|file| file.digest);
    let value = Value::new(VersionRecord::KIND, &record)?
        .with_blobs(files.chain([stored.snapshot]))
        .with_edges(spec.edges.iter().cloned());
    let series = Series::new(NodeKind::Data, spec.dataset.clone());
    let (_, (node, reused)) = repo
        .transact(|view| plan(view, spec, &series, &value))
        .await?;
    report(spec, stored, node, reused)
}

/// Decides on one view whether the snapshot is a new version, and which tags move.
fn plan(
    view: &View,
    spec: &SnapshotSpec,
    series: &Series,
    value: &Value,
) -> Result<Step<(NodeRef, bool)>> {
    check_parents(view, &value.edges)?;
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    let versions = series.versions(view)?;
    let same = versions
        .last()
        .filter(|(_, state)| state.value.as_ref() == Some(value));
    let (node, reused) = if let Some((node, _)) = same {
        (node.clone(), true)
    } else {
        let node = series.numbered(series.next_number(view)?);
        transaction.set(node.ref_path(), value.clone(), Expectation::Absent);
        (node, false)
    };
    let tags: BTreeSet<&Name> = spec.tags.iter().collect();
    let mut moved = false;
    for tag in tags {
        moved |= set_tag(view, &mut transaction, series, tag, &node)?;
    }
    Ok(if reused && !moved {
        Step::Done((node, reused))
    } else {
        Step::Commit(transaction, (node, reused))
    })
}

/// Checks that every dataset version an edge names exists.
fn check_parents(view: &View, edges: &[Edge]) -> Result<()> {
    let parents = edges.iter().map(|edge| &edge.to);
    for parent in parents.filter(|to| to.kind() == NodeKind::Data) {
        if view.get(&parent.ref_path())?.is_none() {
            return Err(Error::not_found("data", parent));
        }
    }
    Ok(())
}

fn report(
    spec: &SnapshotSpec,
    stored: Stored,
    node: NodeRef,
    reused: bool,
) -> Result<SnapshotReport> {
    let Manifest { table, files, .. } = stored.manifest;
    Ok(SnapshotReport {
        version: version_number(&node)?,
        node,
        dataset: spec.dataset.clone(),
        snapshot: stored.snapshot,
        rows: table.as_ref().map(|table| table.rows),
        table_digest: table.as_ref().map(|table| table.table_digest),
        rows_digest: table.as_ref().map(|table| table.rows_digest),
        columns: table
            .into_iter()
            .flat_map(|table| table.columns)
            .map(|column| ColumnReport {
                name: column.name,
                logical_type: column.logical_type,
                digest: column.digest,
            })
            .collect(),
        files: files.iter().map(FileReport::from).collect(),
        new_bytes: stored.new_bytes,
        reused,
    })
}
