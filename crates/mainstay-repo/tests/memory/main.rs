//! What collecting takes in memory.
//!
//! A binary of its own, since its allocator counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::sync::Arc;

use bytes::Bytes;
use cap::Cap;
use mainstay_core::{Actor, Digest};
use mainstay_repo::{
    CollectOptions, Cut, Expectation, Layout, Repo, RepoOptions, Transaction, Value,
};
use mainstay_store::MemoryStorage;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// More than one list names.
const PIECES: usize = 5_000;
const PIECE_BYTES: usize = 8 * 1024;
/// How many pieces change from version to version: not enough for a list to stay as it is.
const CHANGED: usize = 50;
const VERSIONS: usize = 24;

/// What [`Repo::plan_collection`] says.
const BYTES_A_RECORD: usize = 400;

/// Stores what differs from the version before in a few pieces.
async fn store(repo: &Repo, content: &mut [u8], version: usize) -> Digest {
    for change in 0..CHANGED {
        let at = (change * PIECES / CHANGED + version) * PIECE_BYTES;
        content[at..at + 8].copy_from_slice(&(version as u64 + 1).to_le_bytes());
    }
    let (mut ingest, mut layout) = (repo.ingest(), Layout::new());
    for _ in 0..PIECES {
        layout.push(PIECE_BYTES as u64, Cut::Blocks);
    }
    let content = Bytes::copy_from_slice(content);
    let stored = ingest.bytes_with(content, layout).await.unwrap();
    ingest.finish().await.unwrap();
    stored.digest
}

async fn name(repo: &Repo, version: usize, blob: Digest) {
    let path = format!("files/v{version}").parse().unwrap();
    let value = Value::new("files", &version).unwrap().with_blobs([blob]);
    let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "test");
    transaction.set(path, value, Expectation::Absent);
    repo.commit(transaction).await.map(drop).unwrap();
}

/// The most that is taken meanwhile.
async fn peak(work: impl Future) -> usize {
    let before = MEMORY.allocated();
    // As much is taken as ever was, so that whatever is more is seen.
    let taken = vec![0_u8; MEMORY.max_allocated() - before];
    drop(work.await);
    MEMORY.max_allocated() - before - taken.len()
}

/// All in one test: others would take memory meanwhile.
#[tokio::test]
async fn planning_a_collection_takes_as_much_as_there_are_records_however_many_versions_share_them()
{
    let storage = Arc::new(MemoryStorage::new());
    let repo = Repo::create(storage, RepoOptions::default()).await.unwrap();
    let mut content = vec![0; PIECES * PIECE_BYTES];
    let mut random = blake3::Hasher::new().finalize_xof();
    random.fill(&mut content);
    for version in 0..VERSIONS {
        let blob = store(&repo, &mut content, version).await;
        name(&repo, version, blob).await;
    }
    drop(content);
    let records = PIECES + VERSIONS * (CHANGED + 3);
    let options = CollectOptions::default();
    let planning = async {
        let plan = repo.plan_collection(&options).await.unwrap();
        assert!(plan.wait.is_empty() && plan.keep > 0, "{plan:?}");
    };
    let taken = peak(planning).await;
    assert!(
        (records * 100..records * BYTES_A_RECORD).contains(&taken),
        "{taken} bytes for {records} records: {} each",
        taken / records
    );
    let explained = peak(repo.explain_refs("files/v3")).await;
    assert!(
        explained < records * BYTES_A_RECORD,
        "{explained} bytes for {records} records: {} each",
        explained / records
    );
}
