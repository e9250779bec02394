//! Files that other libraries wrote of one table; see `tests/interop/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use futures::TryStreamExt as _;
use mainstay_core::BulkDigest;
use mainstay_data::digest::{Profile, TableHasher};
use mainstay_data::{Datasets, ReadOptions, SnapshotReport};

use crate::support::{datasets, digests, spec};

fn files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|e| e == "parquet" || e == "arrow")
    });
    files.sort();
    files
}

fn is_widened(path: &Path) -> bool {
    path.to_str().unwrap().contains("widened")
}

async fn snapshot(datasets: &Datasets, path: &Path) -> SnapshotReport {
    let spec = spec("interop").with_path(path.to_owned());
    let report = datasets.snapshot(spec).await;
    report.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

async fn batches(datasets: &Datasets, report: &SnapshotReport) -> Vec<RecordBatch> {
    let stream = datasets.read(&report.node, ReadOptions::default()).await;
    stream.unwrap().try_collect().await.unwrap()
}

fn columns(report: &SnapshotReport) -> BTreeMap<&str, (&str, BulkDigest)> {
    let columns = report.columns.iter();
    columns
        .map(|column| {
            (
                column.name.as_str(),
                (column.logical_type.as_str(), column.digest),
            )
        })
        .collect()
}

#[tokio::test]
async fn whoever_wrote_a_table_it_has_the_same_digests() {
    let datasets = datasets().await;
    let files: Vec<PathBuf> = files()
        .into_iter()
        .filter(|path| !is_widened(path))
        .collect();
    for library in ["pyarrow", "polars", "duckdb"] {
        let of = files
            .iter()
            .filter(|path| path.to_str().unwrap().contains(library));
        assert!(of.count() >= 4, "{library}");
    }
    let first = snapshot(&datasets, &files[0]).await;
    assert_eq!((first.rows, first.columns.len()), (Some(100), 12));
    for path in &files[1..] {
        let other = snapshot(&datasets, path).await;
        assert_eq!(columns(&other), columns(&first), "{}", path.display());
        assert_eq!(other.table_digest, first.table_digest, "{}", path.display());
        assert_eq!(other.rows_digest, first.rows_digest, "{}", path.display());
    }

    let rows = batches(&datasets, &first).await;
    assert_eq!(Some(digests(&rows).table), first.table_digest);
    let ours = spec("ours").with_batches("rows.parquet".parse().unwrap(), rows);
    let ours = datasets.snapshot(ours).await.unwrap();
    assert_eq!(ours.table_digest, first.table_digest);
    assert_eq!(ours.rows_digest, first.rows_digest);
}

#[tokio::test]
async fn what_an_engine_widened_is_equal_in_meaning_only() {
    let datasets = datasets().await;
    let (widened, others): (Vec<_>, Vec<_>) = files().into_iter().partition(|p| is_widened(p));
    assert_eq!(widened.len(), 2);
    let semantic = async |path: &Path| {
        let report = snapshot(&datasets, path).await;
        let batches = batches(&datasets, &report).await;
        let mut hasher = TableHasher::new(&batches[0].schema(), Profile::Semantic).unwrap();
        for batch in &batches {
            hasher.update(batch).unwrap();
        }
        (report.table_digest, hasher.finish().unwrap().table)
    };
    let (strict_before, before) = semantic(&others[0]).await;
    for path in &widened {
        let (strict, after) = semantic(path).await;
        assert_ne!(strict, strict_before);
        assert_eq!(after, before, "{}", path.display());
    }
}
