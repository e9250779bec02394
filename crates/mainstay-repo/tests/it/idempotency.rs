//! Idempotency keys.

use std::sync::Arc;

use mainstay_core::{Actor, ErrorKind};
use mainstay_repo::{Expectation, Repo, Transaction};
use mainstay_store::{MemoryStorage, Storage};

use crate::support::{committed, note, options, path, repo, set, states};

fn keyed(text: &str) -> Transaction {
    let mut keyed = set("note/a", text, Expectation::Absent);
    keyed.idempotency_key("job-17");
    keyed
}

#[tokio::test]
async fn the_same_key_and_request_commit_once_whoever_repeats_it() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let (a, b) = (repo(&storage, 1).await, repo(&storage, 2).await);
    let first = committed(a.commit(keyed("x")).await.unwrap());
    assert!(!first.replayed);
    let mut by_another = Transaction::new(Actor::new("another").unwrap(), "once more");
    by_another
        .set(path("note/a"), note("x"), Expectation::Absent)
        .idempotency_key("job-17");
    for repeated in [a.commit(keyed("x")).await, b.commit(by_another).await] {
        let again = committed(repeated.unwrap());
        assert!(again.replayed);
        assert_eq!((again.seq, again.time), (first.seq, first.time));
    }
    assert_eq!(b.view().await.unwrap().seq(), 1);
}

#[tokio::test]
async fn the_same_key_with_another_request_is_refused() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = repo(&storage, 1).await;
    committed(repo.commit(keyed("x")).await.unwrap());
    let error = repo.commit(keyed("y")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("job-17"), "{error}");
}

#[tokio::test]
async fn a_key_is_remembered_through_checkpoints_and_hidden_from_views() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let every = |seed| options(seed).with_checkpoint_every(2);
    let repo = Repo::create(Arc::clone(&storage), every(1)).await.unwrap();
    let first = committed(repo.commit(keyed("x")).await.unwrap());
    for n in 0..5 {
        committed(
            repo.commit(set("note/b", n, Expectation::Any))
                .await
                .unwrap(),
        );
        repo.settle().await;
    }
    let opened = Repo::open(Arc::clone(&storage), every(2)).await.unwrap();
    assert_eq!(states(&opened.cached_view()).await.unwrap().len(), 2);
    let again = committed(opened.commit(keyed("x")).await.unwrap());
    assert_eq!((again.seq, again.replayed), (first.seq, true));
}

#[tokio::test]
async fn a_conflict_does_not_use_the_key_up() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = repo(&storage, 1).await;
    committed(
        repo.commit(set("note/a", 1, Expectation::Any))
            .await
            .unwrap(),
    );
    crate::support::conflict(repo.commit(keyed("x")).await.unwrap());
    let mut other = set("note/b", 1, Expectation::Absent);
    other.idempotency_key("job-17");
    assert!(!committed(repo.commit(other).await.unwrap()).replayed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_concurrent_repetitions_one_commits() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let mut tasks = Vec::new();
    for seed in 0..16 {
        let repo = repo(&storage, seed).await;
        tasks.push(tokio::spawn(async move { repo.commit(keyed("x")).await }));
    }
    let mut fresh = 0;
    for task in tasks {
        let done = committed(task.await.unwrap().unwrap());
        assert_eq!(done.seq, 1);
        fresh += u32::from(!done.replayed);
    }
    assert_eq!(fresh, 1);
}
