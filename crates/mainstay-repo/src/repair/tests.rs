use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Actor, Digest, ErrorKind};
use mainstay_store::fault::{Applied, Fault, FaultStorage};
use mainstay_store::{Key, MemoryStorage, Prefix, PutMode, Storage, StorageExt as _};

use super::{RepairOptions, RepairReport, repair};
use crate::blobs::testing::random_bytes;
use crate::{
    CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value, VerifyLevel, verify,
};

type Objects = BTreeMap<Key, Bytes>;

fn options() -> RepoOptions {
    RepoOptions::default().with_checkpoint_every(1)
}

fn contents() -> Vec<Bytes> {
    vec![
        "small".into(),
        "compressible ".repeat(3000).into(),
        random_bytes(20_000, 1).into(),
        random_bytes(150_000, 2).into(),
    ]
}

/// Two refs with two blobs each, in two sessions.
async fn sample() -> Objects {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = Repo::create(Arc::clone(&storage), options()).await.unwrap();
    for (number, contents) in contents().chunks(2).enumerate() {
        let mut ingest = repo.ingest();
        let mut blobs = Vec::new();
        for content in contents {
            blobs.push(ingest.bytes(content.clone()).await.unwrap().digest);
        }
        ingest.finish().await.unwrap();
        let value = Value::new("files", &number).unwrap().with_blobs(blobs);
        let mut transaction = Transaction::new(Actor::new("tester").unwrap(), "test");
        let path = format!("files/f{number}").parse().unwrap();
        transaction.set(path, value, Expectation::Absent);
        let outcome = repo.commit(transaction).await.unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed(_)));
        repo.settle().await;
    }
    objects(&*storage).await
}

async fn objects(storage: &dyn Storage) -> Objects {
    let listed = storage.list(&Prefix::all(), None);
    let listed: Vec<_> = listed.try_collect().await.unwrap();
    let mut objects = Objects::new();
    for object in listed {
        let bytes = storage.get_all(&object.key).await.unwrap().unwrap();
        objects.insert(object.key, bytes);
    }
    objects
}

async fn storage_of(objects: &Objects) -> Arc<MemoryStorage> {
    let storage = Arc::new(MemoryStorage::new());
    for (key, bytes) in objects {
        let put = storage.put(key, bytes.clone(), PutMode::Overwrite).await;
        put.map(drop).unwrap();
    }
    storage
}

/// What can be read: blobs, and refs if the repository can be opened.
async fn readable(storage: &Arc<dyn Storage>) -> BTreeSet<String> {
    let mut readable = BTreeSet::new();
    let Ok(repo) = Repo::open(Arc::clone(storage), options()).await else {
        return readable;
    };
    for content in contents() {
        if let Ok(Some(blob)) = repo.blob(&Digest::of(&content)).await
            && blob.bytes().await.is_ok_and(|bytes| bytes == content)
        {
            readable.insert(blob.digest().to_string());
        }
    }
    if let Ok(view) = repo.view().await {
        for number in 0..2 {
            let path = format!("files/f{number}").parse().unwrap();
            if let Ok(true) = view.read(|view| Ok(view.get(&path)?.is_some())).await {
                readable.insert(path.to_string());
            }
        }
    }
    readable
}

async fn apply(storage: &Arc<dyn Storage>) -> RepairReport {
    let options = RepairOptions::default().with_apply(true);
    repair(Arc::clone(storage), &options).await.unwrap()
}

/// Repairs and checks what holds of every repair.
async fn check(storage: Arc<dyn Storage>) -> RepairReport {
    let before = readable(&storage).await;
    let objects_before = objects(&*storage).await;
    let planned = repair(Arc::clone(&storage), &RepairOptions::default()).await;
    let planned = planned.unwrap();
    assert!(
        objects_before == objects(&*storage).await,
        "a plan changes nothing"
    );
    let done = apply(&storage).await;
    assert_eq!(planned.actions, done.actions);
    let after = readable(&storage).await;
    assert!(before.is_subset(&after), "{before:?} {after:?} {done:?}");
    let repaired = objects(&*storage).await;
    let again = apply(&storage).await;
    let idle = again.actions.iter().all(|action| action.action == "leave");
    assert!(idle, "{again:?}");
    assert!(
        repaired == objects(&*storage).await,
        "a second repair changes nothing"
    );
    assert_eq!(done.lost, again.lost);
    done
}

#[tokio::test]
async fn a_sound_repository_needs_no_repair() {
    let storage = storage_of(&sample().await).await;
    let report = check(storage).await;
    assert_eq!((report.actions, report.lost), (vec![], vec![]));
}

#[tokio::test]
async fn an_index_that_is_gone_or_damaged_is_made_again_from_the_packs() {
    let sample = sample().await;
    for damaged in [false, true] {
        let mut objects = sample.clone();
        let indexes: Vec<Key> = sample
            .keys()
            .filter(|key| key.as_str().starts_with("index/"))
            .cloned()
            .collect();
        for key in indexes {
            if damaged {
                objects.insert(key, "damaged".into());
            } else {
                objects.remove(&key);
            }
        }
        let storage = storage_of(&objects).await;
        let report = check(Arc::clone(&storage) as _).await;
        assert_eq!(report.lost, []);
        let verified = verify(storage, VerifyLevel::Full).await.unwrap();
        assert_eq!(verified.faults, []);
    }
}

#[tokio::test]
async fn after_any_damage_repair_makes_nothing_worse_and_names_what_is_lost() {
    let sample = sample().await;
    let mut lost = 0;
    for (key, bytes) in &sample {
        if key.as_str() == "mainstay.json" {
            continue;
        }
        let flips = (0..6).map(|n| bytes.len() * n / 6).chain([bytes.len() - 1]);
        let damages = flips.map(|at| {
            let mut flipped = bytes.to_vec();
            flipped[at] ^= 1 << (at % 8);
            Some(Bytes::from(flipped))
        });
        let cut = [
            Some(bytes.slice(..bytes.len() / 2)),
            Some(Bytes::new()),
            None,
        ];
        for damage in damages.chain(cut) {
            let mut objects = sample.clone();
            match damage {
                Some(bytes) => objects.insert(key.clone(), bytes),
                None => objects.remove(key),
            };
            let storage = storage_of(&objects).await;
            let report = check(Arc::clone(&storage) as _).await;
            if key.as_str().starts_with("log/") {
                continue;
            }
            let storage: Arc<dyn Storage> = storage;
            let unreadable = contents().len() + 2 - readable(&storage).await.len();
            assert_eq!(report.lost.len(), unreadable, "{key}: {report:?}");
            lost += unreadable;
            let in_blobs = key.as_str().starts_with("pack/");
            assert!(in_blobs || unreadable == 0, "{key}: {report:?}");
        }
    }
    assert!(lost > 0);
}

#[tokio::test]
async fn a_fault_at_any_operation_of_a_repair_makes_nothing_worse() {
    let mut objects = sample().await;
    let packs = objects
        .iter_mut()
        .filter(|(key, _)| key.as_str().starts_with("pack/"));
    for (_, bytes) in packs {
        let mut flipped = bytes.to_vec();
        let last = flipped.len() - 60;
        flipped[last] ^= 1;
        *bytes = flipped.into();
    }
    let index = objects
        .keys()
        .find(|key| key.as_str().starts_with("index/"));
    let index = index.unwrap().clone();
    objects.insert(index, "damaged".into());
    let damaged: Arc<dyn Storage> = storage_of(&objects).await;
    let before = readable(&damaged).await;
    let mut operation = 0;
    loop {
        operation += 1;
        let mut reached = false;
        for fault in [
            Fault::Crash(Applied::Yes),
            Fault::Crash(Applied::No),
            Fault::LoseResponse,
            Fault::LoseRequest,
            Fault::Refuse(ErrorKind::Unavailable),
        ] {
            let storage = storage_of(&objects).await;
            let faulty = Arc::new(FaultStorage::new(Arc::clone(&storage)));
            faulty.fail_at(operation, fault);
            let options = RepairOptions::default().with_apply(true);
            let repaired = repair(Arc::clone(&faulty) as _, &options).await;
            let struck = faulty.operations() >= operation;
            assert!(repaired.is_ok() || struck);
            reached |= struck;
            let storage: Arc<dyn Storage> = storage;
            assert!(before.is_subset(&readable(&storage).await));
            let report = check(storage).await;
            assert_eq!(report.lost, [], "{fault:?} at {operation}");
        }
        if !reached {
            assert!(operation > 10);
            return;
        }
    }
}
