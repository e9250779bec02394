//! Checkpoints written beside the commits: what they cost, and who can do without them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use mainstay_repo::{Expectation, Repo, RepoOptions, Transaction, VerifyLevel, View};
use mainstay_store::fault::{Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{
    Key, MemoryStorage, MeterStorage, Prefix, PutMode, Storage, StorageExt as _, Timer,
};

use crate::support::{committed, held, note, options, path, transaction};

fn every(seed: u64, entries: u64) -> RepoOptions {
    options(seed).with_checkpoint_every(entries)
}

async fn keys(storage: &Arc<dyn Storage>, directory: &str) -> Vec<Key> {
    let listing = storage.list(&Prefix::directory(directory).unwrap(), None);
    listing.map_ok(|meta| meta.key).try_collect().await.unwrap()
}

/// Sets `refs/r<n>/x` for each n, in as few entries as a test has time for.
fn many(refs: std::ops::Range<u64>) -> Transaction {
    let mut many = transaction();
    for n in refs {
        let at = path(&format!("refs/g{:04}/r{n:06}", n / 50));
        many.set(at, note(n), Expectation::Any);
    }
    many
}

async fn commit_one(repo: &Repo, n: u64) {
    committed(repo.commit(many(n..n + 1)).await.unwrap());
}

/// A timer that never rings.
#[derive(Debug)]
struct Never;

#[async_trait]
impl Timer for Never {
    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn no_commit_waits_for_a_checkpoint() {
    let stuck = FaultStorage::with_timer(MemoryStorage::new(), Arc::new(Never));
    let shards = Trigger::any().with_verb(Verb::Put).with_key_start("shard/");
    stuck.fail_when(shards, Fault::Delay(Duration::from_secs(1)));
    let storage: Arc<dyn Storage> = Arc::new(stuck);
    let repo = Repo::create(Arc::clone(&storage), every(1, 2))
        .await
        .unwrap();
    for n in 0..20 {
        commit_one(&repo, n).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(keys(&storage, "checkpoint").await, []);
    assert_eq!(repo.view().await.unwrap().seq(), 20);
}

#[tokio::test]
async fn a_checkpoint_costs_what_changed_also_for_a_process_that_holds_nothing() {
    const REFS: u64 = 10_000;
    let metered = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<MeterStorage<_>>::clone(&metered);
    let repo = Repo::create(Arc::clone(&storage), every(1, 1))
        .await
        .unwrap();
    committed(repo.commit(many(0..REFS)).await.unwrap());
    repo.settle().await;
    let all = keys(&storage, "shard").await.len() as u64;
    assert!(all > 25, "{all} shards");

    for opened in [false, true] {
        let handle = if opened {
            Repo::open(Arc::clone(&storage), every(2, 1)).await.unwrap()
        } else {
            repo.clone()
        };
        for n in [0, REFS / 2, REFS + 7] {
            let before = metered.reading();
            commit_one(&handle, n).await;
            handle.settle().await;
            let after = metered.reading();
            // The entry, a shard or two, the root.
            assert!(after.puts - before.puts <= 4, "{n}: {before:?} {after:?}");
            assert!(after.gets - before.gets <= 4, "{n}: {before:?} {after:?}");
            assert_eq!(after.lists - before.lists, 1);
        }
    }
}

fn overlay(view: &View) -> u64 {
    let text = format!("{view:?}");
    let (_, rest) = text.split_once("changed_refs: ").unwrap();
    rest.split_once(',').unwrap().0.parse().unwrap()
}

#[tokio::test]
async fn what_changed_is_kept_apart_only_until_the_next_checkpoint() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let writer = Repo::create(Arc::clone(&storage), every(1, 10))
        .await
        .unwrap();
    let follower = Repo::open(Arc::clone(&storage), every(2, 10))
        .await
        .unwrap();
    for n in 0..100 {
        commit_one(&writer, n).await;
        writer.settle().await;
        assert!(overlay(&writer.cached_view()) < 10);
        follower.view().await.unwrap();
        follower.settle().await;
        assert!(overlay(&follower.cached_view()) < 20);
    }
    for repo in [writer, follower] {
        let view = repo.view().await.unwrap();
        for n in 0..100 {
            let at = format!("refs/g{:04}/r{n:06}", n / 50);
            assert_eq!(held(&view, &at).await.unwrap().seq, n + 1);
        }
    }
    // Who only reads writes nothing.
    assert_eq!(keys(&storage, "checkpoint").await.len(), 10);
}

#[test]
fn a_process_that_dies_before_its_checkpoint_leaves_it_to_the_next() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let process = |seed: u64, commits: std::ops::Range<u64>, settles: bool| {
        let storage = Arc::clone(&storage);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async move {
            let repo = Repo::create(storage, every(seed, 10)).await.unwrap();
            for n in commits {
                commit_one(&repo, n).await;
            }
            if settles {
                repo.settle().await;
            }
        });
    };
    for n in 0..25 {
        process(n, n..n + 1, false);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_eq!(runtime.block_on(keys(&storage, "checkpoint")), []);
    process(25, 25..26, true);
    let written = runtime.block_on(keys(&storage, "checkpoint"));
    assert_eq!(
        written,
        [Key::new("checkpoint/00000000000000000026").unwrap()]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_write_checkpoints_at_once_do_no_harm() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let mut tasks = Vec::new();
    for writer in 0..6 {
        // Not all of one mind when one is due.
        let options = every(writer, 2 + writer % 3);
        let repo = Repo::create(Arc::clone(&storage), options).await.unwrap();
        tasks.push(tokio::spawn(async move {
            for n in 0..30 {
                commit_one(&repo, writer * 1_000 + n).await;
                if n % 7 == 0 {
                    repo.settle().await;
                }
            }
            repo.settle().await;
            repo
        }));
    }
    let mut repos = Vec::new();
    for task in tasks {
        repos.push(task.await.unwrap());
    }
    for repo in repos {
        let view = repo.view().await.unwrap();
        assert_eq!(view.seq(), 180);
        view.load("").await.unwrap();
        assert_eq!(view.below("refs").unwrap().count(), 180);
    }
    let repo = Repo::open(storage, options(9)).await.unwrap();
    assert_eq!(repo.verify(VerifyLevel::Full).await.unwrap().faults, []);
}

#[tokio::test]
async fn a_damaged_shard_stops_no_writer_and_is_mended_by_who_notices() {
    for looks in [true, false] {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        let repo = Repo::create(Arc::clone(&storage), every(1, 2))
            .await
            .unwrap();
        committed(repo.commit(many(0..600)).await.unwrap());
        commit_one(&repo, 0).await;
        repo.settle().await;
        for key in keys(&storage, "shard").await {
            let mut bytes = storage.get_all(&key).await.unwrap().unwrap().to_vec();
            bytes[40] ^= 1;
            let put = storage.put(&key, bytes.into(), PutMode::Overwrite);
            put.await.map(drop).unwrap();
        }
        let opened = Repo::open(Arc::clone(&storage), every(2, 2)).await.unwrap();
        if looks {
            opened.view().await.unwrap().load("").await.unwrap();
        }
        for n in 0..2 {
            commit_one(&opened, 300 + n).await;
            opened.settle().await;
        }
        assert_eq!(keys(&storage, "checkpoint").await.len(), 2);
        let view = opened.view().await.unwrap();
        view.load("").await.unwrap();
        assert_eq!(view.below("refs").unwrap().count(), 600);
        if looks {
            let last = Repo::open(Arc::clone(&storage), options(3)).await.unwrap();
            let faults = last.verify(VerifyLevel::Full).await.unwrap().faults;
            let newest = "checkpoint/00000000000000000004";
            assert!(
                faults.iter().all(|fault| fault.object != newest),
                "{faults:?}"
            );
        }
    }
}

#[tokio::test]
async fn opening_and_one_look_take_requests_that_grow_with_the_logarithm() {
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    let sizes: &[u64] = if long {
        &[1_000, 4_000, 16_000]
    } else {
        &[100, 400, 1_600]
    };
    let metered = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<MeterStorage<_>>::clone(&metered);
    let repo = Repo::create(Arc::clone(&storage), every(1, 10))
        .await
        .unwrap();
    let (mut written, mut costs) = (0, Vec::new());
    for size in sizes {
        for n in written..size - 5 {
            commit_one(&repo, n).await;
            repo.settle().await;
        }
        written = size - 5;
        let before = metered.reading().requests();
        let opened = Repo::open(Arc::clone(&storage), every(2, 10))
            .await
            .unwrap();
        let view = opened.cached_view();
        assert!(held(&view, "refs/g0001/r000077").await.is_some());
        costs.push(metered.reading().requests() - before);
    }
    // Four times as many entries: one leap more, and two back.
    assert!(costs.is_sorted_by(|a, b| *b <= a + 3), "{costs:?}");
    assert!(costs[0] <= 30, "{costs:?}");
}

#[tokio::test]
async fn a_scan_of_few_refs_of_many_reads_few_shards() {
    // A fortieth of the size that the share is promised for.
    const REFS: u64 = 25_000;
    let metered = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<MeterStorage<_>>::clone(&metered);
    let repo = Repo::create(Arc::clone(&storage), every(1, 5))
        .await
        .unwrap();
    for from in (0..REFS).step_by(5_000) {
        committed(repo.commit(many(from..from + 5_000)).await.unwrap());
    }
    repo.settle().await;
    let shards = keys(&storage, "shard").await.len() as u64;
    let opened = Repo::open(storage, options(2)).await.unwrap();
    let before = metered.reading();
    let view = opened.cached_view();
    let below = view.read(|view| Ok(view.below("refs/g0250")?.count()));
    assert_eq!(below.await.unwrap(), 50);
    let read = metered.reading().requests() - before.requests();
    assert!(read * 50 <= shards, "{read} of {shards}");
    assert!(held(&view, "refs/g0499/r024999").await.is_some());
}
