//! Many writers at once, each with its own handle as if it were a process.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, Result};
use mainstay_repo::{CommitOutcome, Expectation, Repo, Step, Transaction, Value, View};
use mainstay_store::fault::{Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{MemoryStorage, Storage};

use crate::support::{options, path, transaction};

const WRITERS: u64 = 16;
const COMMITS: u64 = 50;

/// A storage on which every task is interrupted often.
fn interrupted(seed: u64) -> FaultStorage<MemoryStorage> {
    let storage = FaultStorage::new(MemoryStorage::new());
    storage.fail_randomly(seed, 2, vec![Fault::Delay(Duration::ZERO)]);
    storage
}

/// Adds one to the counter `view` holds, expecting it unchanged.
fn increment(view: &View, at: &str, writer: u64) -> Transaction {
    let (count, expectation) = match view.get(&path(at)).unwrap() {
        Some(state) => {
            let value = state.value.as_ref().unwrap();
            let count: u64 = value.decode("count").unwrap();
            (count, Expectation::Generation(state.generation))
        }
        None => (0, Expectation::Absent),
    };
    let mut increment = transaction();
    increment
        .set(
            path(at),
            Value::new("count", &(count + 1)).unwrap(),
            expectation,
        )
        .set(
            path(&format!("mine/w{writer}")),
            Value::new("count", &count).unwrap(),
            Expectation::Any,
        );
    increment
}

/// Checks the log after `expected` increments; returns how many entries they took.
async fn check_log(storage: &Arc<dyn Storage>, expected: u64) -> u64 {
    let repo = Repo::open(Arc::clone(storage), options(99)).await.unwrap();
    let view = repo.cached_view();
    view.load("").await.unwrap();
    let total = |at: &str| {
        let state = view.get(&path(at)).unwrap().unwrap().value.clone().unwrap();
        state.decode::<u64>("count").unwrap()
    };
    assert_eq!(total("count/shared"), expected);
    // The walk checks the hash chain from the first entry to the head.
    let entries: Vec<_> = repo.entries(0).try_collect().await.unwrap();
    assert_eq!(entries.len() as u64, expected);
    let seqs: BTreeSet<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=view.seq()).collect());
    assert!(entries.is_sorted_by_key(|entry| (entry.seq, entry.time)));
    view.seq()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_commit_lands_exactly_once() {
    let storage: Arc<dyn Storage> = Arc::new(interrupted(1));
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let options = options(writer).with_checkpoint_every(32);
        let repo = Repo::create(Arc::clone(&storage), options).await.unwrap();
        tasks.push(tokio::spawn(async move {
            let mut seqs = Vec::new();
            for _ in 0..COMMITS {
                let build =
                    |view: &View| Ok(Step::Commit(increment(view, "count/shared", writer), ()));
                seqs.push(repo.transact(build).await.unwrap().0.unwrap().seq);
            }
            seqs
        }));
    }
    let mut all = BTreeSet::new();
    for task in tasks {
        let seqs = task.await.unwrap();
        assert!(seqs.is_sorted());
        all.extend(seqs);
    }
    assert_eq!(
        all.len() as u64,
        WRITERS * COMMITS,
        "no two handles share an entry"
    );
    assert_eq!(
        check_log(&storage, WRITERS * COMMITS).await,
        WRITERS * COMMITS
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clones_of_one_handle_share_entries() {
    let storage: Arc<dyn Storage> = Arc::new(interrupted(2));
    // One attempt is enough: clones do not race each other.
    let options = options(1).with_max_commit_attempts(1);
    let repo = Repo::create(Arc::clone(&storage), options).await.unwrap();
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        let repo = repo.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..COMMITS {
                let build =
                    |view: &View| Ok(Step::Commit(increment(view, "count/shared", writer), ()));
                repo.transact(build).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let entries = check_log(&storage, WRITERS * COMMITS).await;
    assert!(entries <= WRITERS * COMMITS / 2, "{entries} entries");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_under_contention_lose_and_double_nothing() {
    let faulty = interrupted(3);
    let puts = Trigger::any().with_verb(Verb::Put).with_key_start("log/");
    // Some creations are lost on the way there, some on the way back, and some look-ups fail.
    for skip in (0..400).step_by(7) {
        let fault = if skip % 2 == 0 {
            Fault::LoseResponse
        } else {
            Fault::LoseRequest
        };
        faulty.fail_when(puts.clone().with_skip(skip).with_times(1), fault);
        let gets = Trigger::any().with_verb(Verb::Get).with_key_start("log/");
        faulty.fail_when(
            gets.with_skip(skip * 11).with_times(1),
            Fault::Refuse(ErrorKind::Unavailable),
        );
    }
    let faulty = Arc::new(faulty);
    let storage: Arc<dyn Storage> = Arc::<FaultStorage<MemoryStorage>>::clone(&faulty);
    let mut tasks = Vec::new();
    for writer in 0..8 {
        let storage = Arc::clone(&storage);
        tasks.push(tokio::spawn(async move {
            let options = options(writer).with_checkpoint_every(16);
            let repo = until_ok(|| Repo::create(Arc::clone(&storage), options.clone())).await;
            for n in 0..25 {
                increment_once(&repo, writer, n).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    faulty.clear();
    check_log(&storage, 8 * 25).await;
}

async fn until_ok<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> T {
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// Increments by compare-and-set; a try whose fate is unknown is repeated as it was.
async fn increment_once(repo: &Repo, writer: u64, n: u64) {
    for attempt in 0.. {
        let view = until_ok(|| repo.view()).await;
        let mut transaction = increment(&view, "count/shared", writer);
        transaction.idempotency_key(format!("{writer}/{n}/{attempt}"));
        match until_ok(|| repo.commit(transaction.clone())).await {
            CommitOutcome::Committed(_) => return,
            CommitOutcome::Conflict(_) => {}
        }
    }
}
