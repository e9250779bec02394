use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Actor, Digest, ErrorKind, ManualClock};
use mainstay_store::{Key, MemoryStorage, Prefix, PutMode, Storage, StorageExt as _};

use super::{Fault, VerifyLevel};
use crate::blobs::testing::random_bytes;
use crate::checkpoint::swept::Swept;
use crate::{CollectOptions, CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value};

mod flips;
mod rich;

type Objects = BTreeMap<Key, Bytes>;

const LEVELS: [VerifyLevel; 2] = [VerifyLevel::Quick, VerifyLevel::Full];

fn options() -> RepoOptions {
    RepoOptions::default().with_checkpoint_every(1)
}

/// The blobs of the sample repository: inline, compressed, of one chunk, of several.
fn contents() -> Vec<Vec<u8>> {
    vec![
        b"small".to_vec(),
        b"compressible ".repeat(3000),
        random_bytes(20_000, 1),
        random_bytes(150_000, 2),
    ]
}

/// A repository that holds them, in two packs, with two log entries and a checkpoint of each.
async fn sample(storage: Arc<dyn Storage>) -> Repo {
    let repo = Repo::create(storage, options()).await.unwrap();
    let mut ingest = repo.ingest();
    let mut blobs = Vec::new();
    for content in contents() {
        let stored = ingest.bytes(content.into()).await.unwrap();
        blobs.push(stored.digest);
    }
    ingest.finish().await.unwrap();
    for (number, blobs) in blobs.chunks(2).enumerate() {
        let value = Value::new("files", &number).unwrap();
        let value = value.with_blobs(blobs.iter().copied());
        let mut transaction = Transaction::new(Actor::new("tester").unwrap(), "test");
        let path = format!("files/f{number}").parse().unwrap();
        transaction.set(path, value, Expectation::Absent);
        let outcome = repo.commit(transaction).await.unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed(_)));
        repo.settle().await;
    }
    repo
}

async fn objects(storage: &dyn Storage) -> Objects {
    let listed: Vec<_> = storage
        .list(&Prefix::all(), None)
        .try_collect()
        .await
        .unwrap();
    let mut objects = Objects::new();
    for object in listed {
        let bytes = storage.get_all(&object.key).await.unwrap().unwrap();
        objects.insert(object.key, bytes);
    }
    objects
}

async fn overwrite(storage: &dyn Storage, key: &Key, bytes: impl Into<Bytes>) {
    let outcome = storage.put(key, bytes.into(), PutMode::Overwrite).await;
    outcome.map(drop).unwrap();
}

async fn faults(repo: &Repo, level: VerifyLevel) -> Vec<Fault> {
    repo.verify(level).await.unwrap().faults
}

/// Reads every blob by a fresh handle; returns how many came back right. Never wrong bytes.
async fn read_all(storage: &Arc<dyn Storage>) -> usize {
    let repo = match Repo::open(Arc::clone(storage), options()).await {
        Ok(repo) => repo,
        Err(error) => {
            assert!(is_damage(&error), "{error}");
            return 0;
        }
    };
    let mut right = 0;
    for content in contents() {
        let read = async {
            match repo.blob(&Digest::of(&content)).await? {
                Some(blob) => {
                    let middle = blob.range(10..19_000).await?;
                    assert_eq!(
                        middle,
                        content[10.min(content.len())..19_000.min(content.len())]
                    );
                    blob.bytes().await.map(Some)
                }
                None => Ok(None),
            }
        };
        match read.await {
            Ok(Some(bytes)) => {
                assert_eq!(bytes, content);
                right += 1;
            }
            Ok(None) => {}
            Err(error) => assert!(is_damage(&error), "{error}"),
        }
    }
    right
}

fn is_damage(error: &mainstay_core::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupt | ErrorKind::Incompatible | ErrorKind::NotFound
    )
}

#[tokio::test]
async fn a_sound_repository_has_no_faults() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = sample(Arc::clone(&storage)).await;
    // What a session that was given up leaves is no fault.
    let mut given_up = repo.ingest();
    given_up
        .bytes(random_bytes(100_000, 9).into())
        .await
        .unwrap();
    drop(given_up);
    for level in LEVELS {
        let report = repo.verify(level).await.unwrap();
        assert_eq!(report.faults, []);
        assert!(report.checked > 10, "{}", report.checked);
    }
    assert_eq!(read_all(&storage).await, contents().len());
}

#[tokio::test]
async fn a_missing_or_shortened_object_is_a_fault_at_every_level() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = sample(Arc::clone(&storage)).await;
    for (key, bytes) in objects(&*storage).await {
        storage.delete(&key).await.unwrap();
        // The log makes up for a checkpoint.
        if !key.as_str().starts_with("checkpoint/") {
            for level in LEVELS {
                assert_ne!(faults(&repo, level).await, [], "{key} deleted, {level:?}");
            }
        }
        read_all(&storage).await;
        for len in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            overwrite(&*storage, &key, bytes.slice(..len)).await;
            for level in LEVELS {
                let faults = faults(&repo, level).await;
                assert_ne!(faults, [], "{key} cut to {len}, {level:?}");
            }
            read_all(&storage).await;
        }
        overwrite(&*storage, &key, bytes).await;
    }
}

#[tokio::test]
async fn checkpoints_that_are_gone_are_noted_and_no_fault() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
    let options = RepoOptions::default().with_checkpoint_every(4);
    let options = options.with_clock(Arc::new(clock));
    let repo = Repo::create(Arc::clone(&storage), options).await.unwrap();
    let write = async |count| {
        for _ in 0..count {
            let mut transaction = Transaction::new(Actor::new("tester").unwrap(), "test");
            let value = Value::new("note", &repo.cached_view().seq()).unwrap();
            transaction.set("note/n".parse().unwrap(), value, Expectation::Any);
            repo.commit(transaction).await.map(drop).unwrap();
            repo.settle().await;
        }
    };
    let notes = async || {
        let mut notes = Vec::new();
        for level in LEVELS {
            let report = repo.verify(level).await.unwrap();
            assert_eq!(report.faults, []);
            notes = report.notes.into_iter().map(|note| note.object).collect();
        }
        notes
    };
    write(31).await;
    assert_eq!(notes().await, [""; 0]);
    // The newest is of entry 28; one more that is missing might be about to be written.
    let root = |seq| crate::checkpoint::root_key(seq);
    storage.delete(&root(28)).await.unwrap();
    assert_eq!(notes().await, [""; 0]);
    storage.delete(&root(24)).await.unwrap();
    assert_eq!(notes().await, ["checkpoint"]);
    write(1).await;
    assert_eq!(notes().await, [""; 0]);

    // Once a collection has said which stay, each of them is missed.
    write(40).await;
    let collect = CollectOptions::default().with_grace(Duration::ZERO);
    let collect = collect.with_checkpoint_spacing_percent(100);
    for _ in 0..2 {
        let plan = repo.plan_collection(&collect).await.unwrap();
        let by = Actor::new("tester").unwrap();
        repo.apply_collection(&plan, by, "collect")
            .await
            .map(drop)
            .unwrap();
        repo.settle().await;
    }
    assert_eq!(notes().await, [""; 0]);
    let swept = Swept::read(&repo.view().await.unwrap()).await.unwrap();
    let oldest = *swept.kept.first().unwrap();
    storage.delete(&root(oldest)).await.unwrap();
    assert_eq!(notes().await, [root(oldest).to_string()]);
}

#[tokio::test]
async fn two_objects_in_each_others_place_are_a_fault() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = sample(Arc::clone(&storage)).await;
    let objects: Vec<_> = objects(&*storage).await.into_iter().collect();
    for (number, (key, bytes)) in objects.iter().enumerate() {
        for (other_key, other_bytes) in &objects[number + 1..] {
            overwrite(&*storage, key, other_bytes.clone()).await;
            overwrite(&*storage, other_key, bytes.clone()).await;
            let faults = faults(&repo, VerifyLevel::Full).await;
            for key in [key, other_key] {
                let named = faults.iter().any(|fault| fault.object == key.as_str());
                assert!(named, "{key} and {other_key} exchanged: {faults:?}");
            }
            read_all(&storage).await;
            overwrite(&*storage, key, bytes.clone()).await;
            overwrite(&*storage, other_key, other_bytes.clone()).await;
        }
    }
}

#[tokio::test]
async fn foreign_objects_in_our_directories_are_unknown_and_others_are_left_alone() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = sample(Arc::clone(&storage)).await;
    let foreign = [
        "checkpoint/x",
        "index/00",
        "log/1",
        "pack/notes.txt",
        "shard/a/b",
    ];
    // A probe that was cut off leaves its objects.
    let others = ["notes.txt", "other/thing", "probe/00/1"];
    for key in foreign.into_iter().chain(others) {
        overwrite(&*storage, &Key::new(key).unwrap(), "?").await;
    }
    for level in LEVELS {
        let found: Vec<_> = faults(&repo, level)
            .await
            .into_iter()
            .map(|fault| (fault.object, fault.kind))
            .collect();
        assert_eq!(found, foreign.map(|key| (key.to_owned(), "unknown")));
    }
}

#[tokio::test]
async fn garbage_under_a_good_key_is_a_fault_whatever_its_number() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = sample(Arc::clone(&storage)).await;
    let hash = "00".repeat(32);
    for key in [
        format!("checkpoint/{:020}", u64::MAX),
        format!("index/{hash}"),
        format!("log/{:020}", 1_000_000_000_000_u64),
        format!("log/{:020}", u64::MAX),
        format!("pack/{hash}"),
        format!("shard/{hash}"),
    ] {
        let object = Key::new(key.as_str()).unwrap();
        for garbage in [Vec::new(), b"{}".to_vec(), random_bytes(1000, 1)] {
            overwrite(&*storage, &object, garbage).await;
            let faults = faults(&repo, VerifyLevel::Full).await;
            let named = faults.iter().any(|fault| fault.object == key);
            assert!(named, "{key}: {faults:?}");
        }
        storage.delete(&object).await.unwrap();
    }
}

#[tokio::test]
async fn a_blob_that_no_index_knows_is_missing_and_says_who_names_it() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = sample(Arc::clone(&storage)).await;
    for key in objects(&*storage).await.into_keys() {
        if key.as_str().starts_with("index/") {
            storage.delete(&key).await.unwrap();
        }
    }
    let faults = faults(&repo, VerifyLevel::Quick).await;
    assert_eq!(faults.len(), contents().len(), "{faults:?}");
    for (number, content) in contents().iter().enumerate() {
        let object = format!("blob {}", Digest::of(content));
        let fault = faults.iter().find(|fault| fault.object == object).unwrap();
        assert_eq!(fault.kind, "missing");
        assert!(
            fault.detail.contains(&format!("files/f{}", number / 2)),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn samples_read_a_share_of_the_packs_and_find_their_damage_sooner_or_later() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = sample(Arc::clone(&storage)).await;
    let sampled = |percent, seed| VerifyLevel::Sampled { percent, seed };
    let [quick, none, all, full] = [
        VerifyLevel::Quick,
        sampled(0, 1),
        sampled(100, 1),
        VerifyLevel::Full,
    ]
    .map(|level| repo.verify(level));
    let (quick, none, all, full) = futures::join!(quick, none, all, full);
    let [quick, none, all, full] = [quick, none, all, full].map(|report| report.unwrap());
    assert_eq!(none, quick);
    assert!(quick.read_bytes < all.read_bytes && all.read_bytes < full.read_bytes);

    let objects = objects(&*storage).await;
    let largest = objects
        .iter()
        .filter(|(key, _)| key.as_str().starts_with("pack/"));
    let (key, bytes) = largest.max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let mut damaged = bytes.to_vec();
    damaged[1000] ^= 1;
    overwrite(&*storage, key, damaged).await;
    assert_eq!(faults(&repo, VerifyLevel::Quick).await, []);
    let mut found = 0;
    for seed in 0..40 {
        let faults = faults(&repo, sampled(25, seed)).await;
        assert_eq!(faults, self::faults(&repo, sampled(25, seed)).await);
        found += usize::from(faults.iter().any(|fault| fault.object == key.as_str()));
    }
    assert!((3..=20).contains(&found), "{found} of 40");
}

#[tokio::test]
async fn stats_count_objects_bytes_and_distinct_blobs() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = sample(Arc::clone(&storage)).await;
    let objects = objects(&*storage).await;
    let stats = repo.stats().await.unwrap();
    assert_eq!(stats.objects, objects.len() as u64);
    let stored: usize = objects.values().map(Bytes::len).sum();
    assert_eq!(stats.stored_bytes, stored as u64);
    let logical: usize = contents().iter().map(Vec::len).sum();
    assert_eq!(stats.logical_bytes, logical as u64);
    assert_eq!((stats.log_entries, stats.head), (2, 2));
}
