//! A failure at every operation of storing: nothing acknowledged is lost, nothing is half there.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{Actor, Digest, Result};
use mainstay_store::fault::{Applied, Fault, FaultStorage};
use mainstay_store::{MemoryStorage, NoWait};

use crate::blobs::BlobStore;
use crate::blobs::testing::random_bytes;
use crate::{Expectation, Repo, RepoOptions, Transaction, Value, VerifyLevel};

type Faulty = Arc<FaultStorage<MemoryStorage>>;

fn options() -> RepoOptions {
    RepoOptions::default().with_timer(Arc::new(NoWait::default()))
}

type Sessions = [Vec<Bytes>; 2];

/// The blobs of two sessions; the second has some of the first's bytes again.
fn sessions() -> Sessions {
    let shared = random_bytes(200_000, 1);
    let longer = [shared.clone(), random_bytes(100_000, 2)].concat();
    [
        vec![shared.clone(), b"small".to_vec()],
        vec![longer, shared, random_bytes(30_000, 3)],
    ]
    .map(|blobs| blobs.into_iter().map(Bytes::from).collect())
}

/// Stores both sessions and commits each; counts the acknowledged ones.
async fn store(storage: &Faulty, sessions: &Sessions, acknowledged: &mut usize) -> Result<()> {
    let repo = Repo::create(Arc::<FaultStorage<_>>::clone(storage), options()).await?;
    for (number, blobs) in sessions.iter().enumerate() {
        let mut ingest = repo.ingest();
        let mut digests = Vec::new();
        for blob in blobs {
            digests.push(ingest.bytes(blob.clone()).await?.digest);
        }
        ingest.finish().await?;
        *acknowledged = number + 1;
        let value = Value::new("files", &number)?.with_blobs(digests);
        let mut transaction = Transaction::new(Actor::new("tester")?, "test");
        transaction.set(format!("files/f{number}").parse()?, value, Expectation::Any);
        let _outcome = repo.commit(transaction).await?;
    }
    Ok(())
}

/// Checks what a new process finds.
async fn check(storage: &Faulty, sessions: &Sessions, acknowledged: usize) {
    let repo = Repo::create(Arc::<FaultStorage<_>>::clone(storage), options())
        .await
        .unwrap();
    for (number, blobs) in sessions.iter().enumerate() {
        for bytes in blobs {
            match repo.blob(&Digest::of(bytes)).await.unwrap() {
                Some(blob) => assert!(blob.bytes().await.unwrap() == *bytes),
                None => assert!(number >= acknowledged, "an acknowledged blob is lost"),
            }
        }
    }
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, []);
}

#[tokio::test]
async fn a_failure_at_any_operation_loses_nothing_acknowledged() {
    let sessions = sessions();
    let counting: Faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
    store(&counting, &sessions, &mut 0).await.unwrap();
    let operations = counting.operations();
    assert!(operations > 10);
    for operation in 1..=operations {
        for fault in [
            Fault::Crash(Applied::Yes),
            Fault::Crash(Applied::No),
            Fault::LoseResponse,
            Fault::LoseRequest,
            Fault::NoSpace,
        ] {
            let storage: Faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
            storage.fail_at(operation, fault);
            let mut acknowledged = 0;
            let _stopped = store(&storage, &sessions, &mut acknowledged).await;
            storage.clear();
            storage.revive();
            check(&storage, &sessions, acknowledged).await;
            // The work can be done again, on what the failure left.
            store(&storage, &sessions, &mut 0).await.unwrap();
            check(&storage, &sessions, 2).await;
        }
    }
}

/// Stores files at once in sessions that make everything known early and merge whatever they can; adds
/// the acknowledged blobs to a list.
async fn store_eagerly(
    storage: &Faulty,
    paths: &[Vec<PathBuf>],
    acknowledged: &mut Vec<Digest>,
) -> Result<()> {
    let store = BlobStore::eager(Arc::<FaultStorage<_>>::clone(storage), 3, 2);
    for paths in paths {
        let mut ingest = store.ingest();
        let stored = ingest.files(paths.iter().cloned()).await?;
        ingest.finish().await?;
        for stored in stored {
            acknowledged.push(stored?.digest);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_while_index_objects_are_merged_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let file = |session: usize, number: usize| {
        let path = directory.path().join(format!("{session}-{number}"));
        let bytes = random_bytes(9_000 * number * (session + 1), number as u64);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let paths: Vec<Vec<PathBuf>> = (0..4)
        .map(|session| (0..4).map(|number| file(session, number)).collect())
        .collect();
    let counting: Faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let mut all = Vec::new();
    store_eagerly(&counting, &paths, &mut all).await.unwrap();
    let operations = counting.operations();
    for operation in 1..=operations {
        for fault in [
            Fault::Crash(Applied::Yes),
            Fault::Crash(Applied::No),
            Fault::LoseResponse,
            Fault::NoSpace,
        ] {
            let storage: Faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
            storage.fail_at(operation, fault);
            let mut acknowledged = Vec::new();
            let _stopped = store_eagerly(&storage, &paths, &mut acknowledged).await;
            storage.clear();
            storage.revive();
            for digest in [acknowledged, all.clone()] {
                let fresh = BlobStore::new(Arc::<FaultStorage<_>>::clone(&storage));
                for digest in digest {
                    let blob = fresh.find(&digest).await.unwrap().unwrap();
                    assert_eq!(Digest::of(&blob.bytes().await.unwrap()), digest);
                }
                // The work can be done again, on what the failure left.
                store_eagerly(&storage, &paths, &mut Vec::new())
                    .await
                    .unwrap();
            }
        }
    }
}
