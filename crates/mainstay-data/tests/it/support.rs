//! What the tests share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use mainstay_core::{Actor, BulkDigest, Error, ErrorKind, ManualClock, SeededIds, Timestamp};
use mainstay_data::digest::{Profile, RowsHasher, TableHasher};
use mainstay_data::{Datasets, SnapshotSpec};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::MemoryStorage;

pub(crate) fn ada() -> Actor {
    Actor::new("ada").unwrap()
}

pub(crate) async fn repo() -> Repo {
    let options = RepoOptions::default()
        .with_clock(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)))
        .with_ids(Arc::new(SeededIds::new(7)));
    Repo::create(Arc::new(MemoryStorage::new()), options)
        .await
        .unwrap()
}

pub(crate) async fn datasets() -> Datasets {
    Datasets::new(repo().await)
}

/// A specification without inputs.
pub(crate) fn spec(dataset: &str) -> SnapshotSpec {
    SnapshotSpec::new(dataset.parse().unwrap(), ada(), "test")
}

/// A specification of rows in memory.
pub(crate) fn rows(dataset: &str, batch: RecordBatch) -> SnapshotSpec {
    spec(dataset).with_batches("rows.parquet".parse().unwrap(), vec![batch])
}

pub(crate) fn table<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true)))
        .unwrap()
}

pub(crate) fn column<A: arrow::array::Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

pub(crate) fn penguins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/penguins.csv")
}

/// A directory with these files.
pub(crate) fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    directory
}

/// Checks the kind of an error and that its text names these things.
#[track_caller]
pub(crate) fn check_error<T: std::fmt::Debug>(
    outcome: Result<T, Error>,
    kind: ErrorKind,
    named: &[&str],
) {
    let error = outcome.expect_err("should be refused");
    assert_eq!(error.kind(), kind, "{error:?}");
    let shown = error.to_string();
    for name in named {
        assert!(shown.contains(name), "{shown:?} does not name {name:?}");
    }
}

/// Every digest of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) rows: u64,
    pub(crate) table: BulkDigest,
    /// Of the rows in any order.
    pub(crate) unordered: BulkDigest,
    /// In schema order.
    pub(crate) columns: Vec<BulkDigest>,
}

pub(crate) fn digests_of(batches: &[RecordBatch], profile: Profile) -> Digests {
    let schema = batches[0].schema();
    let mut hasher = TableHasher::new(&schema, profile).unwrap();
    let mut rows = RowsHasher::new(&schema, profile).unwrap();
    for batch in batches {
        hasher.update(batch).unwrap();
        rows.add(batch).unwrap();
    }
    let digests = hasher.finish().unwrap();
    Digests {
        rows: digests.rows,
        table: digests.table,
        unordered: rows.finish().unwrap(),
        columns: digests.columns,
    }
}

pub(crate) fn digests(batches: &[RecordBatch]) -> Digests {
    digests_of(batches, Profile::Strict)
}
