//! Bombs: small objects that say they are large, or become so when they are unpacked. However they are
//! read, that takes little memory.
//!
//! A binary of its own, since its allocator counts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod packs;
mod records;

use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use futures::StreamExt as _;
use mainstay_core::{Digest, NodeRef};
use mainstay_repo::{
    CollectOptions, RepairOptions, Repo, RepoOptions, TallyName, VerifyLevel, repair, verify,
};
use mainstay_store::{Key, MemoryStorage, PutMode, Storage};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// More than is taken by reading any of them, the objects themselves included.
const LIMIT: usize = 64 << 20;

/// All of them in one test: others would take memory meanwhile.
#[tokio::test]
async fn reading_whatever_is_stored_takes_little_memory() {
    packs::read_all().await;
    records::read_all().await;
    let peak = MEMORY.max_allocated();
    assert!(peak > 4 << 20, "objects alone take more than {peak} bytes");
}

async fn put(storage: &MemoryStorage, key: &str, bytes: impl Into<bytes::Bytes>) {
    let key = Key::new(key).unwrap();
    let put = storage.put(&key, bytes.into(), PutMode::Overwrite).await;
    put.map(drop).unwrap();
}

/// Reads a storage in every way. Returns how many faults are found in it.
async fn read(bomb: &str, storage: &Arc<MemoryStorage>, blob: &Digest) -> usize {
    let shared: Arc<dyn Storage> = Arc::<MemoryStorage>::clone(storage);
    let mut faults = 0;
    for level in [VerifyLevel::Quick, VerifyLevel::Full] {
        let report = verify(Arc::clone(&shared), level).await.unwrap();
        faults += report.faults.len();
    }
    drop(repair(Arc::clone(&shared), &RepairOptions::default()).await);
    if let Ok(repo) = Repo::open(shared, RepoOptions::default()).await {
        open(&repo, blob).await;
    }
    let peak = MEMORY.max_allocated();
    assert!(peak <= LIMIT, "{bomb} took {peak} bytes");
    faults
}

/// Asks a repository for everything; what it answers is of no interest.
async fn open(repo: &Repo, blob: &Digest) {
    if let Ok(view) = repo.view().await {
        drop(view.load("").await);
    }
    drop(repo.stats().await);
    drop(repo.plan_collection(&CollectOptions::default()).await);
    drop(repo.entries(0).collect::<Vec<_>>().await);
    if let Ok(Some(blob)) = repo.blob(blob).await {
        drop(blob.range(0..10).await);
        drop(blob.bytes().await);
    }
    drop(repo.tree(blob).entries().collect::<Vec<_>>().await);
    let subject: TallyName = records::SUBJECT.parse().unwrap();
    drop(repo.read_tally(&subject).await);
    let alive: NodeRef = records::ALIVE.parse().unwrap();
    drop(repo.last_beat(&alive).await);
}
