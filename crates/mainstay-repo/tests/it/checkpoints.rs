//! Opening from checkpoints: what it costs, and what happens when one is damaged.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, RefPath, SeededIds};
use mainstay_repo::{Expectation, RefState, Repo, View};
use mainstay_store::fault::FaultStorage;
use mainstay_store::{Key, MemoryStorage, Prefix, PutMode, Storage, StorageExt as _};

use crate::support::{committed, options, set, states};

/// `count` commits to a few refs, a checkpoint every `every`.
async fn filled(storage: &Arc<dyn Storage>, count: u64, every: u64) -> Repo {
    let options = options(1).with_checkpoint_every(every);
    let repo = Repo::create(Arc::clone(storage), options).await.unwrap();
    for n in 0..count {
        let mut transaction = set(&format!("note/n{}", n % 50), n, Expectation::Any);
        if n % 3 == 0 {
            transaction.idempotency_key(format!("key {n}"));
        }
        committed(repo.commit(transaction).await.unwrap());
        repo.settle().await;
    }
    repo
}

async fn keys(storage: &Arc<dyn Storage>, directory: &str) -> Vec<Key> {
    let listing = storage.list(&Prefix::directory(directory).unwrap(), None);
    listing.map_ok(|meta| meta.key).try_collect().await.unwrap()
}

async fn open(storage: &Arc<dyn Storage>) -> mainstay_core::Result<View> {
    Repo::open(Arc::clone(storage), options(9))
        .await
        .map(|repo| repo.cached_view())
}

async fn refs(view: &View) -> BTreeMap<RefPath, RefState> {
    states(view).await.unwrap()
}

#[tokio::test]
async fn opening_reads_the_newest_checkpoint_and_the_tail_only() {
    let counted = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<FaultStorage<MemoryStorage>>::clone(&counted);
    let repo = filled(&storage, 250, 20).await;
    assert_eq!(keys(&storage, "checkpoint").await.len(), 12);
    let before = counted.operations();
    let view = open(&storage).await.unwrap();
    let cost = counted.operations() - before;
    assert_eq!(refs(&view).await, refs(&repo.cached_view()).await);
    // Descriptor, two listings, root, its entry, two shards, ten entries and a look beyond them.
    assert!(cost <= 40, "{cost} operations");
}

#[tokio::test]
async fn a_refresh_without_news_costs_one_request() {
    let counted = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<FaultStorage<MemoryStorage>>::clone(&counted);
    let repo = filled(&storage, 3, 20).await;
    let before = counted.operations();
    repo.view().await.unwrap();
    assert_eq!(counted.operations() - before, 1);
}

#[tokio::test]
async fn a_commit_without_rivals_costs_one_request() {
    let counted = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<FaultStorage<MemoryStorage>>::clone(&counted);
    let repo = filled(&storage, 3, 20).await;
    let before = counted.operations();
    committed(
        repo.commit(set("note/x", 1, Expectation::Absent))
            .await
            .unwrap(),
    );
    assert_eq!(counted.operations() - before, 1);
}

#[tokio::test]
async fn the_same_log_gives_the_same_checkpoints_however_the_writer_came_to_its_state() {
    let mut contents = Vec::new();
    for sittings in [1, 20] {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        // One sitting folds the log; many begin from checkpoints. Ids and times are the same.
        let ids = Arc::new(SeededIds::new(1));
        let options = options(1).with_ids(ids).with_checkpoint_every(10);
        for sitting in 0..sittings {
            let repo = Repo::create(Arc::clone(&storage), options.clone())
                .await
                .unwrap();
            for n in 0..60 / sittings {
                let n = sitting * (60 / sittings) + n;
                let mut transaction = set(&format!("note/n{}", n * 7 % 20), n, Expectation::Any);
                transaction.idempotency_key(format!("key {}", n * 7 % 60));
                committed(repo.commit(transaction).await.unwrap());
                repo.settle().await;
            }
        }
        let mut objects = BTreeMap::new();
        for key in [
            keys(&storage, "checkpoint").await,
            keys(&storage, "shard").await,
        ]
        .concat()
        {
            let bytes = storage.get_all(&key).await.unwrap().unwrap();
            objects.insert(key, bytes);
        }
        contents.push(objects);
    }
    assert_eq!(contents[0], contents[1]);
}

#[tokio::test]
async fn a_damaged_or_missing_checkpoint_is_replaced_by_an_older_one_and_the_log() {
    for directory in ["checkpoint", "shard"] {
        for damage in ["flip", "remove", "newer"] {
            let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
            let expected = refs(&filled(&storage, 45, 10).await.cached_view()).await;
            // First the newest, then one after the other until none is left.
            for key in keys(&storage, directory).await.into_iter().rev() {
                let bytes = storage.get_all(&key).await.unwrap().unwrap();
                let damaged = match damage {
                    "flip" => {
                        let mut bytes = bytes.to_vec();
                        let middle = bytes.len() / 2;
                        bytes[middle] ^= 1;
                        bytes
                    }
                    "newer" => String::from_utf8(bytes.to_vec())
                        .unwrap()
                        .replace("\"format\":1", "\"format\":2")
                        .into_bytes(),
                    _ => Vec::new(),
                };
                if damage == "remove" {
                    storage.delete(&key).await.unwrap();
                } else {
                    storage
                        .put(&key, damaged.into(), PutMode::Overwrite)
                        .await
                        .map(drop)
                        .unwrap();
                }
                let view = open(&storage).await.unwrap();
                assert_eq!(refs(&view).await, expected, "{directory} {damage} {key}");
            }
        }
    }
}

#[tokio::test]
async fn a_checkpoint_whose_log_entry_is_gone_is_an_error_not_an_older_state() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    filled(&storage, 20, 10).await;
    let head = keys(&storage, "log").await.pop().unwrap();
    storage.delete(&head).await.unwrap();
    let error = open(&storage).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(head.as_str()), "{error}");
}

#[tokio::test]
async fn a_gap_in_the_log_is_an_error() {
    for gap in [21, 24] {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        filled(&storage, 25, 10).await;
        let missing = Key::new(format!("log/{gap:020}")).unwrap();
        storage.delete(&missing).await.unwrap();
        let error = open(&storage).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(missing.as_str()), "{error}");
    }
}

#[tokio::test]
async fn strangers_among_the_checkpoints_are_passed_over() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let expected = refs(&filled(&storage, 25, 10).await.cached_view()).await;
    for stranger in [
        "checkpoint/readme",
        "checkpoint/99999999999999999999",
        "checkpoint/5",
    ] {
        let key = Key::new(stranger).unwrap();
        storage.create(&key, "?".into()).await.map(drop).unwrap();
    }
    assert_eq!(refs(&open(&storage).await.unwrap()).await, expected);
}
