//! The same on a directory.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use mainstay_core::{Actor, ErrorKind};
use mainstay_repo::{Expectation, Repo, Step, VerifyLevel};
use mainstay_store::{LocalOptions, LocalStorage, Storage};

use crate::support::{committed, count, held, options, set};

async fn open(directory: &tempfile::TempDir) -> Arc<dyn Storage> {
    let storage = LocalStorage::open(directory.path(), LocalOptions::default()).await;
    Arc::new(storage.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_on_one_directory_lose_and_double_nothing() {
    const WRITERS: u64 = 4;
    const COMMITS: u64 = 10;
    let directory = tempfile::tempdir().unwrap();
    let mut tasks = Vec::new();
    for writer in 0..WRITERS {
        // A storage of its own, as another process has.
        let storage = open(&directory).await;
        tasks.push(tokio::spawn(async move {
            let options = options(writer).with_checkpoint_every(8);
            let repo = Repo::create(storage, options).await.unwrap();
            for n in 0..COMMITS {
                let at = format!("note/w{writer}-{n}");
                committed(repo.commit(set(&at, n, Expectation::Absent)).await.unwrap());
            }
            repo.settle().await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let repo = Repo::open(open(&directory).await, options(9))
        .await
        .unwrap();
    assert_eq!(count(&repo.cached_view(), "note").await, WRITERS * COMMITS);
    let log: Vec<_> = repo.entries(0).try_collect().await.unwrap();
    assert_eq!(log.len() as u64, WRITERS * COMMITS);
    assert_eq!(repo.verify(VerifyLevel::Full).await.unwrap().faults, []);
}

#[tokio::test]
async fn a_closed_repository_opens_as_it_was_left() {
    let directory = tempfile::tempdir().unwrap();
    let error = Repo::open(open(&directory).await, options(1))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for n in 0..5 {
        let repo = Repo::create(open(&directory).await, options(n).with_checkpoint_every(2))
            .await
            .unwrap();
        repo.transact(|view| {
            assert_eq!(view.seq(), n);
            Ok(Step::Commit(set("note/a", n, Expectation::Any), ()))
        })
        .await
        .unwrap();
        repo.settle().await;
    }
    let repo = Repo::open(open(&directory).await, options(9))
        .await
        .unwrap();
    assert_eq!(
        held(&repo.cached_view(), "note/a")
            .await
            .unwrap()
            .generation,
        5
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_on_one_directory_add_up_while_it_is_compacted() {
    const REPLICAS: u64 = 3;
    const FLUSHES: u64 = 8;
    let directory = tempfile::tempdir().unwrap();
    let actor = Actor::new("tester").unwrap();
    let (subject, events) = (
        "Experiment/Größe".parse().unwrap(),
        "events".parse().unwrap(),
    );
    let repo = Repo::create(open(&directory).await, options(9))
        .await
        .unwrap();
    let mut tasks = Vec::new();
    for replica in 0..REPLICAS {
        let repo = Repo::open(open(&directory).await, options(replica))
            .await
            .unwrap();
        let tally = repo.tally(&subject, actor.clone()).unwrap();
        let counter = tally.counter(&events).unwrap();
        tasks.push(tokio::spawn(async move {
            for _ in 0..FLUSHES {
                counter.add(1);
                tally.flush().await.unwrap();
            }
        }));
    }
    let contender = repo
        .lease("tallies", actor, Duration::from_mins(1))
        .unwrap();
    let lease = contender.try_acquire().await.unwrap().unwrap();
    let mut last = 0;
    while last < REPLICAS * FLUSHES {
        repo.compact_tally(&subject, &lease).await.unwrap();
        let now = repo.read_tally(&subject).await.unwrap().count(&events);
        assert!(now >= last, "{now} after {last}");
        last = now;
    }
    for task in tasks {
        task.await.unwrap();
    }
    repo.compact_tally(&subject, &lease).await.unwrap();
    let total = repo.read_tally(&subject).await.unwrap().count(&events);
    assert_eq!(total, REPLICAS * FLUSHES);
    assert_eq!(repo.stats().await.unwrap().tally_objects, 1);
    assert_eq!(repo.verify(VerifyLevel::Full).await.unwrap().faults, []);
}
