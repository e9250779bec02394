//! Damaged and forged objects: found when the repository is opened or read, never returned as data.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _, future};
use mainstay_core::{Digest, Error, ErrorKind, RefPath, Result};
use mainstay_repo::{Expectation, LogEntry, RefState, Repo};
use mainstay_store::{
    ByteRange, Capabilities, Key, MemoryStorage, Object, ObjectMeta, Prefix, PutMode, PutOutcome,
    Storage, StorageExt as _,
};
use proptest::prelude::*;

use crate::support::{committed, options, set, states};

type Objects = BTreeMap<Key, Bytes>;

/// The objects of a small repository with checkpoints.
async fn written() -> Objects {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let every = options(1).with_checkpoint_every(2);
    let repo = Repo::create(Arc::clone(&storage), every).await.unwrap();
    for n in 0..5 {
        let mut transaction = set(&format!("note/n{}", n % 3), n, Expectation::Any);
        transaction.idempotency_key(format!("key {n}"));
        committed(repo.commit(transaction).await.unwrap());
        repo.settle().await;
    }
    let mut objects = Objects::new();
    let keys: Vec<_> = storage
        .list(&Prefix::all(), None)
        .try_collect()
        .await
        .unwrap();
    for meta in keys {
        let bytes = storage.get_all(&meta.key).await.unwrap().unwrap();
        objects.insert(meta.key, bytes);
    }
    objects
}

async fn stored(objects: &Objects) -> Arc<dyn Storage> {
    let storage = MemoryStorage::new();
    for (key, bytes) in objects {
        storage
            .put(key, bytes.clone(), PutMode::Create)
            .await
            .map(drop)
            .unwrap();
    }
    Arc::new(storage)
}

#[derive(Debug, PartialEq)]
struct Seen {
    refs: BTreeMap<RefPath, RefState>,
    past: BTreeMap<RefPath, RefState>,
    log: Vec<LogEntry>,
}

/// Everything a reader can get out of the repository.
async fn read(objects: &Objects) -> Result<Seen> {
    let repo = Repo::open(stored(objects).await, options(2)).await?;
    let seen = Seen {
        refs: states(&repo.view().await?).await?,
        past: states(&repo.view_at(3).await?).await?,
        log: repo.entries(0).try_collect().await?,
    };
    let back: Vec<_> = repo.entries_back().try_collect().await?;
    assert_eq!(back.len(), seen.log.len());
    Ok(seen)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn refused(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible)
}

/// Good objects and what can be read out of them.
static GOOD: LazyLock<(Objects, Seen)> = LazyLock::new(|| {
    run(async {
        let objects = written().await;
        let seen = read(&objects).await.unwrap();
        (objects, seen)
    })
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_flipped_bit_in_any_object_is_an_error_or_makes_no_difference(
        which: prop::sample::Index, at: prop::sample::Index, bit in 0_u8..8,
    ) {
        let (objects, good) = &*GOOD;
        let key = which.get(&objects.keys().collect::<Vec<_>>()).to_string();
        let damaged = Key::new(key).unwrap();
        let mut objects = objects.clone();
        let mut bytes = objects[&damaged].to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        objects.insert(damaged.clone(), bytes.into());
        let outcome = run(read(&objects));
        match outcome {
            Err(error) => {
                prop_assert!(refused(&error), "{}", error);
                prop_assert!(error.to_string().contains(damaged.as_str()), "{damaged}: {}", error);
            }
            // The log makes up for checkpoints.
            Ok(seen) => {
                prop_assert!(damaged.as_str().starts_with("checkpoint/") || damaged.as_str().starts_with("shard/"));
                prop_assert_eq!(&seen, good);
            }
        }
    }
}

/// An entry edited by somebody who knows how to seal it again.
fn forged(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (_, body) = text.split_once("\",").unwrap();
    let body = format!("{{{body}").replace(from, to);
    let check = Digest::of(body.as_bytes());
    format!("{{\"check\":\"{check}\",{}", &body[1..]).into_bytes()
}

#[tokio::test]
async fn an_entry_forged_with_its_seal_breaks_the_chain() {
    for seq in 1..=5 {
        let mut objects = written().await;
        let key = Key::new(format!("log/{seq:020}")).unwrap();
        let forgery = forged(
            &objects[&key],
            "\"reason\":\"test\"",
            "\"reason\":\"nothing to see\"",
        );
        assert_ne!(objects[&key], forgery);
        objects.insert(key, forgery.into());
        let outcome = read(&objects).await;
        if seq == 5 {
            // Nothing follows the head yet: only whoever remembers its digest can tell.
            assert_eq!(outcome.unwrap().log[4].reason, "nothing to see");
        } else {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{seq}: {error}");
        }
    }
}

#[tokio::test]
async fn a_forged_entry_is_not_passed_on_by_the_feed() {
    let objects = written().await;
    let key = Key::new("log/00000000000000000003").unwrap();
    let forgery = forged(
        &objects[&key],
        "\"reason\":\"test\"",
        "\"reason\":\"forged\"",
    );
    let storage = stored(&objects).await;
    storage
        .put(&key, forgery.into(), PutMode::Overwrite)
        .await
        .map(drop)
        .unwrap();
    // Opens from a checkpoint after the forgery, so that only the walks meet it.
    let opened = Repo::open(storage, options(2)).await.unwrap();
    let passed: Vec<_> = opened
        .entries(0)
        .take_while(|entry| future::ready(entry.is_ok()))
        .collect()
        .await;
    assert_eq!(passed.len(), 2);
    let back: Vec<_> = opened.entries_back().collect().await;
    assert_eq!(
        back.len(),
        3,
        "two entries, then the error that ends the walk"
    );
    assert!(
        back[2]
            .as_ref()
            .is_err_and(|error| error.to_string().contains(key.as_str()))
    );
}

/// A storage that says it created what it replaced.
#[derive(Debug)]
struct NotExclusive(MemoryStorage);

#[async_trait]
impl Storage for NotExclusive {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.0.get(key, range).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, _mode: PutMode) -> Result<PutOutcome> {
        self.0.put(key, bytes, PutMode::Overwrite).await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        self.0.list(prefix, after)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

#[tokio::test]
async fn a_storage_that_breaks_exclusive_creation_is_found_out_by_the_chain() {
    let storage: Arc<dyn Storage> = Arc::new(NotExclusive(MemoryStorage::new()));
    let a = Repo::create(Arc::clone(&storage), options(1))
        .await
        .unwrap();
    let b = Repo::open(Arc::clone(&storage), options(2)).await.unwrap();
    for (repo, at) in [(&a, "note/a"), (&b, "note/b"), (&b, "note/c")] {
        committed(repo.commit(set(at, 1, Expectation::Absent)).await.unwrap());
    }
    // Entry 1 of `a` is gone; entry 2 follows that of `b`.
    let error = a.view().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn exchanged_entries_and_checkpoints_are_found() {
    for (a, b) in [("log/", 1), ("log/", 4), ("checkpoint/", 2)] {
        let mut objects = written().await;
        let step = if a == "log/" { 1 } else { 2 };
        let key = |seq| Key::new(format!("{a}{seq:020}")).unwrap();
        let (first, second) = (objects[&key(b)].clone(), objects[&key(b + step)].clone());
        objects.insert(key(b), second);
        objects.insert(key(b + step), first);
        match read(&objects).await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
            Ok(seen) => {
                assert_eq!(a, "checkpoint/");
                assert_eq!(seen, read(&written().await).await.unwrap());
            }
        }
    }
}

#[tokio::test]
async fn a_descriptor_of_a_newer_format_is_incompatible_naming_both() {
    let mut objects = written().await;
    let key = Key::new("mainstay.json").unwrap();
    let text = std::str::from_utf8(&objects[&key])
        .unwrap()
        .replace("\"format\":1", "\"format\":7");
    objects.insert(key, text.into());
    let error = read(&objects).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    let text = error.to_string();
    assert!(
        text.contains("format 7") && text.contains("than 1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_commit_that_an_entry_of_a_newer_format_forestalls_did_not_happen() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = Repo::create(Arc::clone(&storage), options(1))
        .await
        .unwrap();
    committed(
        repo.commit(set("note/a", 1, Expectation::Any))
            .await
            .unwrap(),
    );
    let newer = Key::new(format!("log/{:020}", 2)).unwrap();
    let entry = Bytes::from_static(br#"{"format":9,"seq":2}"#);
    let created = storage.create(&newer, entry).await;
    created.map(drop).unwrap();
    let error = repo
        .commit(set("note/b", 1, Expectation::Any))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
    assert!(!error.is_ambiguous());
}

#[tokio::test]
async fn a_descriptor_that_is_garbage_is_corrupt() {
    for garbage in [
        "",
        "{}",
        "not json",
        "{\"format\":1}",
        "{\"format\":\"x\"}",
        "[]",
    ] {
        let mut objects = written().await;
        objects.insert(Key::new("mainstay.json").unwrap(), garbage.into());
        let error = read(&objects).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{garbage}");
        // Creating does not cover it up.
        let storage = stored(&objects).await;
        let error = Repo::create(storage, options(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{garbage}");
    }
}
