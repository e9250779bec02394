use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Actor, ErrorKind, ManualClock, SeededIds};
use mainstay_store::{MemoryStorage, MeterStorage, NoWait, Prefix, Storage};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    CollectOptions, CommitOutcome, Expectation, ReplicateOptions, Repo, RepoOptions, Transaction,
    Value, VerifyLevel,
};

mod golden;
mod held;
mod hostile;

type Model = BTreeMap<String, u64>;

async fn open(storage: Arc<dyn Storage>, clock: &Arc<ManualClock>, seed: u64) -> Repo {
    let options = RepoOptions::default()
        .with_clock(Arc::clone(clock) as _)
        .with_ids(Arc::new(SeededIds::new(seed)))
        .with_timer(Arc::new(NoWait::default()));
    Repo::create(storage, options).await.unwrap()
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()))
}

async fn memory() -> Repo {
    open(Arc::new(MemoryStorage::new()), &clock(), 1).await
}

/// A blob that stands for a number.
fn blob(number: u64) -> Bytes {
    format!("content {number}").into()
}

fn entry(key: &str, number: u64) -> TreeEntry {
    TreeEntry::new(
        key,
        json!({ "number": number }),
        [Digest::of(&blob(number))],
    )
}

/// Stores a tree; its blobs, too, if `with_blobs`.
async fn store(repo: &Repo, model: &Model, with_blobs: bool) -> StoredTree {
    let mut ingest = repo.ingest();
    let mut tree = TreeBuilder::new();
    for (key, number) in model {
        if with_blobs {
            ingest.bytes(blob(*number)).await.unwrap();
        }
        tree.add(&mut ingest, &entry(key, *number)).await.unwrap();
    }
    let stored = tree.finish(&mut ingest).await.unwrap();
    ingest.finish().await.unwrap();
    stored
}

async fn all(entries: BoxStream<'static, Result<TreeEntry>>) -> Vec<TreeEntry> {
    entries.try_collect().await.unwrap()
}

fn entries(model: &Model) -> Vec<TreeEntry> {
    let entries = model.iter();
    entries.map(|(key, number)| entry(key, *number)).collect()
}

fn numbered(count: u64) -> Model {
    (0..count).map(|n| (format!("dir/{n:06}.bin"), n)).collect()
}

/// One round of a random history: keys that are set, and keys that go.
fn round() -> impl Strategy<Value = (Vec<(u64, u64)>, Vec<u64>)> {
    let key = || 0_u64..3_000;
    let sets = proptest::collection::vec((key(), 0_u64..50), 1..300);
    (sets, proptest::collection::vec(key(), 0..200))
}

fn key(number: u64) -> String {
    // Neighbours in number are not neighbours in the tree.
    format!("{}/{number}", number % 7)
}

/// What the differences of two maps are.
fn model_changes(before: &Model, after: &Model) -> Vec<TreeChange> {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let changes = keys.into_iter().filter_map(|key| {
        let of = |model: &Model| model.get(key).map(|number| entry(key, *number));
        match (of(before), of(after)) {
            (None, Some(after)) => Some(TreeChange::Added(after)),
            (Some(before), None) => Some(TreeChange::Removed(before)),
            (Some(before), Some(after)) if before != after => {
                Some(TreeChange::Changed { before, after })
            }
            _ => None,
        }
    });
    changes.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn trees_are_maps_whatever_their_history(rounds in proptest::collection::vec(round(), 1..5)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let (repo, other) = (memory().await, memory().await);
            let mut model = Model::new();
            let mut last: Option<(Tree, Model)> = None;
            for (sets, removes) in rounds {
                model.extend(sets.into_iter().map(|(at, number)| (key(at), number)));
                let first = model.keys().next().cloned();
                for at in removes {
                    if Some(key(at)) != first {
                        model.remove(&key(at));
                    }
                }
                let stored = store(&repo, &model, false).await;
                prop_assert_eq!(stored.entries, model.len() as u64);
                // Without the history it is the same tree.
                prop_assert_eq!(store(&other, &model, false).await.root, stored.root);
                let tree = repo.tree(&stored.root);
                prop_assert_eq!(all(tree.entries()).await, entries(&model));
                for prefix in ["", "3", "3/", "3/1", "6/2999", "9", "é"] {
                    let below: Model = model
                        .iter()
                        .filter(|(key, _)| key.starts_with(prefix))
                        .map(|(key, number)| (key.clone(), *number))
                        .collect();
                    prop_assert_eq!(all(tree.below(prefix)).await, entries(&below));
                }
                for at in (0..3_000).step_by(97) {
                    let expected = model.get(&key(at)).map(|number| entry(&key(at), *number));
                    prop_assert_eq!(tree.get(&key(at)).await.unwrap(), expected);
                }
                if let Some((before, before_model)) = &last {
                    let found: Vec<_> = tree.changes_since(before).try_collect().await.unwrap();
                    prop_assert_eq!(found, model_changes(before_model, &model));
                    let back: Vec<_> = before.changes_since(&tree).try_collect().await.unwrap();
                    prop_assert_eq!(back, model_changes(&model, before_model));
                }
                last = Some((tree, model.clone()));
            }
            Ok(())
        })?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_change_among_many_adds_and_reads_a_few_pages() {
    let count = if std::env::var_os("MAINSTAY_LONG").is_some() {
        1_000_000
    } else {
        20_000
    };
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = open(Arc::clone(&storage), &clock(), 1).await;
    let mut model = numbered(count);
    let first = store(&repo, &model, false).await;
    assert!(first.new_bytes > count * 100);
    model.insert("dir/000777.bin".to_owned(), 1);
    let second = store(&repo, &model, false).await;
    // A page a level, whose ends stay where they were, and seldom one more.
    assert!(second.new_bytes < 400_000, "{}", second.new_bytes);
    model.remove("dir/000777.bin");
    let third = store(&repo, &model, false).await;
    assert!(third.new_bytes < 400_000, "{}", third.new_bytes);
    model.insert("dir/000777.bin".to_owned(), 777);
    let again = store(&repo, &model, false).await;
    assert_eq!((again.root, again.new_bytes), (first.root, 0));

    let meter = Arc::new(MeterStorage::new(storage));
    let repo = open(Arc::clone(&meter) as _, &clock(), 2).await;
    let [first, second] = [first, second].map(|stored| repo.tree(&stored.root));
    first.get("dir/000001.bin").await.unwrap();
    let before = meter.reading();
    let changes: Vec<_> = second.changes_since(&first).try_collect().await.unwrap();
    assert_eq!(changes.len(), 1);
    let reading = meter.reading();
    // At most four levels on both sides, each a page or two of a manifest and a chunk.
    let requests = reading.requests() - before.requests();
    assert!(requests <= 32, "{requests}");
    let bytes = reading.bytes_read - before.bytes_read;
    assert!(bytes < 400_000, "{bytes}");
    let below: Vec<_> = first.below("dir/01230").try_collect().await.unwrap();
    assert_eq!(below.len(), 10);
}

#[tokio::test]
async fn entries_that_break_a_rule_are_refused() {
    let repo = memory().await;
    let mut ingest = repo.ingest();
    let empty = TreeBuilder::new().finish(&mut ingest).await.unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Invalid);
    let mut tree = TreeBuilder::new();
    tree.add(&mut ingest, &entry("b", 1)).await.unwrap();
    let large = TreeEntry::new("c", json!("x".repeat(70_000)), []);
    let long = entry(&"d".repeat(5_000), 1);
    for bad in [entry("", 1), entry("a", 1), entry("b", 1), large, long] {
        let error = tree.add(&mut ingest, &bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    // What was refused left no trace.
    tree.add(&mut ingest, &entry("c", 2)).await.unwrap();
    let stored = tree.finish(&mut ingest).await.unwrap();
    ingest.finish().await.unwrap();
    let found = all(repo.tree(&stored.root).entries()).await;
    assert_eq!(found, [entry("b", 1), entry("c", 2)]);
}

#[tokio::test]
async fn keys_that_all_end_pages_and_entries_as_large_as_may_be_make_a_tree() {
    let repo = memory().await;
    let ending = (0_u64..).map(|n| format!("k{n:08}"));
    let ending =
        ending.filter(|key| Digest::of(key.as_bytes()).as_bytes()[0].trailing_zeros() >= 7);
    let mut keys: Vec<String> = ending.take(300).collect();
    keys.extend((0..6).map(|n| format!("z{n}")));
    let mut ingest = repo.ingest();
    let mut tree = TreeBuilder::new();
    let mut given = Vec::new();
    for key in keys {
        let text = if key.starts_with('z') { 65_000 } else { 1 };
        let entry = TreeEntry::new(key, json!("x".repeat(text)), []);
        tree.add(&mut ingest, &entry).await.unwrap();
        given.push(entry);
    }
    let stored = tree.finish(&mut ingest).await.unwrap();
    ingest.finish().await.unwrap();
    assert_eq!(all(repo.tree(&stored.root).entries()).await, given);
}
