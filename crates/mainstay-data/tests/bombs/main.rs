//! Bombs: small Parquet files that say they are large, or become so when they are decoded; and Arrow files of one
//! large batch. However they are read, that takes little memory.
//!
//! A binary of its own, since its allocator counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod one_batch;

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use futures::TryStreamExt as _;
use mainstay_core::{Actor, ErrorKind, NodeRef, Result};
use mainstay_data::arrow::ipc::CompressionType;
use mainstay_data::diff::{CompareOptions, CompareRows};
use mainstay_data::parquet::arrow::ParquetRecordBatchStreamBuilder;
use mainstay_data::parquet::arrow::arrow_reader::ArrowReaderOptions;
use mainstay_data::parquet::file::metadata::PageIndexPolicy;
use mainstay_data::rows::{Identity, RowDiffOptions};
use mainstay_data::{
    Datasets, FileLayout, ParquetBlobReader, ReadOptions, SnapshotReport, SnapshotSpec,
};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::MemoryStorage;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// More than is taken by reading any of them, the repository in memory included.
const LIMIT: usize = 320 << 20;
/// The same of rows that are written anew, which take more than this together.
const OF_WIDE_ROWS: usize = 112 << 20;
/// What rows that are compared may take of it.
const COMPARED: usize = 32 << 20;

/// All of them in one test: others would take memory meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn reading_any_file_takes_little_memory() {
    written_anew(&files::wide_rows()).await;
    let peak = MEMORY.max_allocated();
    assert!(peak <= OF_WIDE_ROWS, "wide rows took {peak} bytes");
    for (name, is_read, file, other) in files::all() {
        assert_eq!(read(&file, &other).await, is_read, "{name}");
        let peak = MEMORY.max_allocated();
        assert!(peak <= LIMIT, "{name} took {peak} bytes");
    }
    assert!(peak > 4 << 20, "files alone take more than {peak} bytes");
    for compression in [None, Some(CompressionType::ZSTD)] {
        read_one_batch(compression).await;
    }
}

/// Reads an Arrow file of one batch, of which there is room for a third: who takes more is aborted.
async fn read_one_batch(compression: Option<CompressionType>) {
    let directory = tempfile::tempdir().unwrap();
    one_batch::write(&directory.path().join("f.arrow"), compression);
    MEMORY
        .set_limit(MEMORY.allocated() + one_batch::BYTES / 3)
        .unwrap();
    let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default());
    let datasets = Datasets::new(repo.await.unwrap());
    let ada = Actor::new("ada").unwrap();
    let spec = SnapshotSpec::new("large".parse().unwrap(), ada, "test");
    let report = datasets.snapshot(spec.with_path(directory.path())).await;
    let node = report.unwrap().node;
    let mut rows = datasets.read(&node, ReadOptions::default()).await.unwrap();
    let mut count = 0;
    while let Some(batch) = rows.try_next().await.unwrap() {
        count += batch.num_rows();
    }
    MEMORY.set_limit(usize::MAX).unwrap();
    assert_eq!(count, one_batch::ROWS);
}

/// Reads a file, and another that differs a little from it, in every way. Returns whether it is a table.
async fn read(file: &[u8], other: &[u8]) -> bool {
    let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default());
    let datasets = Datasets::new(repo.await.unwrap());
    let plain = snapshot(&datasets, "plain", file, FileLayout::Plain).await;
    drop(decode(&datasets, &plain.unwrap().node).await);
    let versions = [
        snapshot(&datasets, "table", file, FileLayout::Verbatim).await,
        snapshot(&datasets, "table", other, FileLayout::Verbatim).await,
    ];
    let [Ok(first), Ok(second)] = versions else {
        for outcome in versions {
            let kind = outcome.unwrap_err().kind();
            let fits = matches!(kind, ErrorKind::Invalid | ErrorKind::Unsupported);
            assert!(fits, "{kind:?}");
        }
        return false;
    };
    for filter in [None, Some("v = 2")] {
        let mut options = ReadOptions::default();
        options.filter = filter.map(|filter| filter.parse().unwrap());
        // Not all of them have a column of that name and type.
        if let Ok(mut rows) = datasets.read(&first.node, options).await {
            while let Ok(Some(_)) = rows.try_next().await {}
        }
    }
    let mut rows = CompareRows::new(Identity::WholeRow);
    rows.options = RowDiffOptions::default().with_memory_bytes(COMPARED);
    let options = CompareOptions::default().with_rows(rows);
    let diff = datasets.compare_with(&first.node, &second.node, &options);
    drop(diff.await.unwrap());
    true
}

/// Writes a table anew, and reads what was written.
async fn written_anew(file: &[u8]) {
    let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default());
    let datasets = Datasets::new(repo.await.unwrap());
    let anew = snapshot(&datasets, "wide", file, FileLayout::Canonical).await;
    let anew = anew.unwrap();
    let rows = datasets.read(&anew.node, ReadOptions::default()).await;
    let rows = rows
        .unwrap()
        .try_fold(0, async |rows, batch| Ok(rows + batch.num_rows()));
    assert_eq!(rows.await.unwrap(), 72);
}

async fn snapshot(
    datasets: &Datasets,
    name: &str,
    file: &[u8],
    layout: FileLayout,
) -> Result<SnapshotReport> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("f.parquet"), file).unwrap();
    let ada = Actor::new("ada").unwrap();
    let spec = SnapshotSpec::new(name.parse().unwrap(), ada, "test").with_path(directory.path());
    datasets.snapshot(spec.with_layout(layout)).await
}

/// Decodes a file by the reader of the Parquet crate, out of stored bytes.
async fn decode(
    datasets: &Datasets,
    node: &NodeRef,
) -> std::result::Result<usize, Box<dyn std::error::Error + Send + Sync>> {
    let mut rows = 0;
    for policy in [PageIndexPolicy::Skip, PageIndexPolicy::Optional] {
        let mut files = datasets.files(node).await?;
        let file = files.try_next().await?.unwrap();
        let reader = ParquetBlobReader::new(datasets.file(&file).await?);
        let options = ArrowReaderOptions::new().with_page_index_policy(policy);
        let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options).await?;
        let mut batches = builder.with_batch_size(8).build()?;
        while let Some(batch) = batches.try_next().await? {
            rows += batch.num_rows();
        }
    }
    Ok(rows)
}
