//! Files that other libraries wrote of one table; see `tests/interop/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::RecordBatch;
use futures::TryStreamExt as _;
use mainstay_core::BulkDigest;
use mainstay_data::digest::{Profile, TableHasher};
use mainstay_data::{Datasets, ReadOptions, SnapshotReport};

use crate::support::{datasets, digests, spec};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

fn files() -> Vec<PathBuf> {
    files_in(&shipped())
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
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

fn check_same(other: &SnapshotReport, first: &SnapshotReport, path: &Path) {
    assert_eq!(columns(other), columns(first), "{}", path.display());
    assert_eq!(other.table_digest, first.table_digest, "{}", path.display());
    assert_eq!(other.rows_digest, first.rows_digest, "{}", path.display());
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
        check_same(&snapshot(&datasets, path).await, &first, path);
    }

    let rows = batches(&datasets, &first).await;
    assert_eq!(Some(digests(&rows).table), first.table_digest);
    let ours = spec("ours").with_batches("rows.parquet".parse().unwrap(), rows);
    let ours = datasets.snapshot(ours).await.unwrap();
    assert_eq!(ours.table_digest, first.table_digest);
    assert_eq!(ours.rows_digest, first.rows_digest);
}

/// The digests of a file's table, strict and semantic.
async fn semantic(datasets: &Datasets, path: &Path) -> (Option<BulkDigest>, BulkDigest) {
    let report = snapshot(datasets, path).await;
    let batches = batches(datasets, &report).await;
    let mut hasher = TableHasher::new(&batches[0].schema(), Profile::Semantic).unwrap();
    for batch in &batches {
        hasher.update(batch).unwrap();
    }
    (report.table_digest, hasher.finish().unwrap().table)
}

#[tokio::test]
async fn what_an_engine_widened_is_equal_in_meaning_only() {
    let datasets = datasets().await;
    let (widened, others): (Vec<_>, Vec<_>) = files().into_iter().partition(|p| is_widened(p));
    assert_eq!(widened.len(), 2);
    let (strict_before, before) = semantic(&datasets, &others[0]).await;
    for path in &widened {
        let (strict, after) = semantic(&datasets, path).await;
        assert_ne!(strict, strict_before);
        assert_eq!(after, before, "{}", path.display());
    }
}

/// Lets the libraries of a Python write the table; `None` when it lacks one of them.
fn written_anew() -> Option<tempfile::TempDir> {
    let python = std::env::var_os("MAINSTAY_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut tried = Command::new(&python);
    let tried = tried
        .args(["-c", "import duckdb, polars, pyarrow"])
        .output();
    if !tried.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut generate = Command::new(python);
    let generate = generate.arg("-B").arg(shipped().join("generate.py"));
    let output = generate.arg(directory.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(directory)
}

#[tokio::test]
async fn the_newest_writers_write_the_same_table() {
    let Some(directory) = written_anew() else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: no Python with duckdb, polars and pyarrow");
        }
        return;
    };
    let datasets = datasets().await;
    let known = files().into_iter().find(|path| !is_widened(path)).unwrap();
    let first = snapshot(&datasets, &known).await;
    let (_, meaning) = semantic(&datasets, &known).await;
    let written = files_in(directory.path());
    assert!(written.len() >= 11, "{written:?}");
    for path in &written {
        if is_widened(path) {
            let (strict, found) = semantic(&datasets, path).await;
            assert_ne!(strict, first.table_digest, "{}", path.display());
            assert_eq!(found, meaning, "{}", path.display());
        } else {
            check_same(&snapshot(&datasets, path).await, &first, path);
        }
    }
}
