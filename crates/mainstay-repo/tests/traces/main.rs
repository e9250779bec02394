//! Which operation each request of a storage is made for, as whoever reads the traces sees it.
//!
//! A test binary of its own: its subscriber watches the whole process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod spans;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, ManualClock, NoMetrics, SeededIds, Timestamp};
use mainstay_repo::{
    CollectOptions, CommitOutcome, Expectation, RepairOptions, ReplicateOptions, Repo, RepoOptions,
    Transaction, Value, VerifyLevel, repair,
};
use mainstay_store::{MemoryStorage, MeterStorage, MetricsStorage, NoWait, Storage};
use tracing::{Instrument as _, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::spans::{Request, Requests};

/// What was asked of storages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Traffic {
    requests: u64,
    bytes: u64,
}

type Metered = Arc<MeterStorage<MemoryStorage>>;

fn actor() -> Actor {
    Actor::new("tester").unwrap()
}

fn clock() -> Arc<ManualClock> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Arc::new(ManualClock::new(start))
}

fn options(seed: u64) -> RepoOptions {
    RepoOptions::default()
        .with_clock(clock())
        .with_ids(Arc::new(SeededIds::new(seed)))
        .with_timer(Arc::new(NoWait::default()))
        .with_checkpoint_every(4)
}

/// A storage that tells of each request, and what counts them beneath.
fn storage() -> (Arc<dyn Storage>, Metered) {
    let metered = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let told = MetricsStorage::new(
        Arc::clone(&metered),
        Arc::new(NoMetrics::default()),
        clock(),
    );
    (Arc::new(told), metered)
}

fn traffic(metered: &Metered) -> Traffic {
    let reading = metered.reading();
    Traffic {
        requests: reading.requests(),
        bytes: reading.bytes_read + reading.bytes_written,
    }
}

/// Bytes that compress little, so that they take packs of their own.
fn bytes(len: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"traces");
    let mut bytes = vec![0; len];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

async fn keep(repo: &Repo, at: &str, blob: mainstay_core::Digest) {
    let mut transaction = Transaction::new(actor(), "keep");
    let value = Value::new("note", &"kept").unwrap().with_blobs([blob]);
    transaction.set(at.parse().unwrap(), value, Expectation::Any);
    let outcome = repo.commit(transaction).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
}

/// Everything one does with a repository, each in a span of the caller.
async fn work(storage: &Arc<dyn Storage>, target: &Arc<dyn Storage>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model");
    std::fs::write(&file, bytes(20 << 20)).unwrap();
    let repo = Repo::create(Arc::clone(storage), options(1))
        .instrument(info_span!("creating"))
        .await
        .unwrap();
    let stored = async {
        let mut ingest = repo.ingest();
        let stored = ingest.file(&file).await.unwrap();
        let small = ingest.files([file.clone()]).await.unwrap();
        assert_eq!(small.len(), 1);
        ingest.finish().await.unwrap();
        stored.digest
    };
    let stored = stored.instrument(info_span!("ingesting")).await;
    async {
        for at in 0..6 {
            keep(&repo, &format!("note/{at}"), stored).await;
        }
    }
    .instrument(info_span!("committing"))
    .await;
    repo.settle().instrument(info_span!("settling")).await;
    async {
        let repo = Repo::open(Arc::clone(storage), options(2)).await.unwrap();
        let blob = repo.blob(&stored).await.unwrap().unwrap();
        assert_eq!(blob.bytes().await.unwrap().len(), 20 << 20);
        blob.range(5_000_000..6_000_000).await.unwrap();
        blob.export(&directory.path().join("copy")).await.unwrap();
    }
    .instrument(info_span!("reading"))
    .await;
    let entries = repo.entries(0).try_collect::<Vec<_>>();
    let entries = entries.instrument(info_span!("walking")).await.unwrap();
    assert_eq!(entries.len(), 6);
    async {
        let report = repo.verify(VerifyLevel::Full).await.unwrap();
        assert!(report.faults.is_empty(), "{report:?}");
        repo.stats().await.unwrap();
        repair(Arc::clone(storage), &RepairOptions::default())
            .await
            .unwrap();
    }
    .instrument(info_span!("verifying"))
    .await;
    async {
        let now = CollectOptions::default().with_grace(Duration::ZERO);
        let plan = repo.plan_collection(&now).await.unwrap();
        repo.apply_collection(&plan, actor(), "collect")
            .await
            .unwrap();
    }
    .instrument(info_span!("collecting"))
    .await;
    async {
        let target = Repo::create(Arc::clone(target), options(3)).await.unwrap();
        let report = repo
            .replicate(&target, &ReplicateOptions::default(), actor())
            .await
            .unwrap();
        assert!(report.read_bytes >= 20 << 20, "{report:?}");
        target.settle().await;
    }
    .instrument(info_span!("replicating"))
    .await;
    repo.settle().instrument(info_span!("settling")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_a_span_within_the_operation_that_makes_it() {
    let requests = Requests::default();
    let subscriber = tracing_subscriber::registry().with(requests.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let ((source, from), (target, to)) = (storage(), storage());
    work(&source, &target).await;

    let mut all = Traffic::default();
    let mut by_step: BTreeMap<&str, Traffic> = BTreeMap::new();
    for Request { around, bytes } in requests.all() {
        let outermost = *around.first().unwrap();
        // A checkpoint follows from a commit; a stream is read by whoever polls it. All else is within the
        // span of an operation, that within the caller's.
        let is_alone = ["checkpoint", "walking"].contains(&outermost);
        assert!(around.len() > 1 || is_alone, "{around:?}");
        for sum in [&mut all, by_step.entry(outermost).or_default()] {
            sum.requests += 1;
            sum.bytes += bytes;
        }
    }
    let (from, to) = (traffic(&from), traffic(&to));
    let counted = Traffic {
        requests: from.requests + to.requests,
        bytes: from.bytes + to.bytes,
    };
    assert_eq!(all, counted, "{by_step:?}");

    let moved = |step: &str| by_step.get(step).copied().unwrap_or_default();
    for (step, requests, bytes) in [
        ("creating", 4, 100),
        ("ingesting", 4, 20 << 20),
        ("committing", 6, 500),
        // Whole, a range, and into a file.
        ("reading", 12, (41 << 20) - 100_000),
        ("verifying", 8, 20 << 20),
        ("collecting", 4, 500),
        ("replicating", 8, 40 << 20),
    ] {
        let moved = moved(step);
        assert!(
            moved.requests >= requests && moved.bytes >= bytes,
            "{step}: {by_step:?}"
        );
    }
    let checkpoints = ["checkpoint", "settling"].map(|step| moved(step).requests);
    assert!(checkpoints.iter().sum::<u64>() >= 2, "{by_step:?}");
}
