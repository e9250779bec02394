//! Objects of JSON, each part of each in turn replaced by something huge, and sealed anew.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Actor, Digest, Edge, EdgeKind};
use mainstay_repo::{
    Accuracy, Expectation, Repo, RepoOptions, Scale, Transaction, TreeBuilder, TreeEntry, Value,
};
use mainstay_store::{MemoryStorage, Prefix, Storage as _, StorageExt as _};
use serde_json::{Value as Json, json};

use crate::{put, read};

pub(crate) const SUBJECT: &str = "experiment/checkout";
pub(crate) const ALIVE: &str = "deployment:web@1";

/// What stands for a part until the text is made.
const PLACE: &str = "\"@@@\"";
/// Of each kind of object so many parts.
const PARTS: usize = 12;

type Objects = BTreeMap<String, Bytes>;

/// A repository with objects of every kind; the root of a tree in it.
async fn sound() -> (Objects, Digest) {
    let storage = Arc::new(MemoryStorage::new());
    let options = RepoOptions::default().with_checkpoint_every(1);
    let repo = Repo::create(Arc::clone(&storage) as _, options)
        .await
        .unwrap();
    let actor = || Actor::new("tester").unwrap();
    let mut ingest = repo.ingest();
    let blob = ingest.bytes("held".into()).await.unwrap().digest;
    let mut tree = TreeBuilder::new();
    let entry = TreeEntry::new("a", json!({ "n": 1 }), [blob]);
    tree.add(&mut ingest, &entry).await.unwrap();
    let root = tree.finish(&mut ingest).await.unwrap().root;
    ingest.finish().await.map(drop).unwrap();
    let edge = Edge::new(EdgeKind::Used, "data:d@1".parse().unwrap());
    let value = Value::new("note", &json!({ "n": 1 })).unwrap();
    let value = value
        .with_blobs([blob])
        .with_trees([root])
        .with_edges([edge]);
    let mut transaction = Transaction::new(actor(), "test");
    let path = "model/m/version/1".parse().unwrap();
    transaction
        .set(path, value, Expectation::Absent)
        .idempotency_key("once");
    repo.commit(transaction).await.map(drop).unwrap();
    let keeper = repo
        .lease("tallies", actor(), Duration::from_secs(30))
        .unwrap();
    let lease = keeper.try_acquire().await.unwrap().unwrap();
    let subject = SUBJECT.parse().unwrap();
    let tally = repo.tally(&subject, actor()).unwrap();
    let counter = tally.counter(&"n".parse().unwrap()).unwrap();
    let sum = tally
        .accumulator(&"s".parse().unwrap(), Scale::BITS_32)
        .unwrap();
    let sketch = tally
        .histogram(&"h".parse().unwrap(), Accuracy::ONE_PERCENT)
        .unwrap();
    for _ in 0..2 {
        counter.add(3);
        sum.add(0.5).unwrap();
        sketch.observe(12.5).unwrap();
        tally.flush().await.unwrap();
        if repo.read_tally(&subject).await.is_ok() && storage_len(&storage, "tally/").await == 1 {
            repo.compact_tally(&subject, &lease)
                .await
                .map(drop)
                .unwrap();
        }
    }
    repo.beat(&ALIVE.parse().unwrap()).await.map(drop).unwrap();
    repo.settle().await;
    (objects(&storage).await, root)
}

async fn storage_len(storage: &MemoryStorage, below: &str) -> usize {
    let objects = objects(storage).await;
    objects.keys().filter(|key| key.starts_with(below)).count()
}

async fn objects(storage: &MemoryStorage) -> Objects {
    let listed: Vec<_> = storage
        .list(&Prefix::all(), None)
        .try_collect()
        .await
        .unwrap();
    let mut objects = Objects::new();
    for object in listed {
        let bytes = storage.get_all(&object.key).await.unwrap().unwrap();
        objects.insert(object.key.to_string(), bytes);
    }
    objects
}

async fn storage_of(objects: &Objects) -> Arc<MemoryStorage> {
    let storage = Arc::new(MemoryStorage::new());
    for (key, bytes) in objects {
        put(&storage, key, bytes.clone()).await;
    }
    storage
}

/// Every place in a document, as a JSON pointer, the outer ones first.
fn places(json: &Json, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Json)> = match json {
        Json::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), value))
            .collect(),
        Json::Array(items) => items
            .iter()
            .enumerate()
            .map(|(n, item)| (n.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    for (name, value) in members {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(value, &place, found);
    }
}

/// What takes the place of a part: much of the same, or what says it is much.
fn huge(part: &Json) -> Vec<String> {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    match part {
        Json::Number(_) => vec![
            u64::MAX.to_string(),
            i64::MIN.to_string(),
            "1e308".to_owned(),
        ],
        Json::String(_) => vec![format!("\"{}\"", "7".repeat(1 << 20))],
        Json::Array(items) => {
            let item = items.first().map_or("[]".to_owned(), Json::to_string);
            let times = (1 << 20) / item.len();
            vec![format!("[{}]", vec![item; times].join(",")), nested]
        }
        _ => vec![nested],
    }
}

/// Documents with one part of `sample` each replaced.
fn bombs(sample: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    places(sample, "", &mut found);
    let mut bombs = Vec::new();
    for place in found.into_iter().take(PARTS) {
        let mut json = sample.clone();
        let part = json.pointer_mut(&place).unwrap();
        let replaced = std::mem::replace(part, "@@@".into());
        let text = json.to_string();
        bombs.extend(
            huge(&replaced)
                .into_iter()
                .map(|huge| (place.clone(), text.replacen(PLACE, &huge, 1))),
        );
    }
    bombs
}

/// Seals a document that had a seal, and leaves others as they are.
fn sealed(was_sealed: bool, text: &str) -> String {
    if was_sealed {
        format!(
            "{{\"check\":\"{}\",{}",
            Digest::of(text.as_bytes()),
            &text[1..]
        )
    } else {
        text.to_owned()
    }
}

/// Stores a document in place of another; what is named by its digest gets another name, there and in
/// the checkpoints.
fn replaced(objects: &Objects, key: &str, text: String) -> Objects {
    let mut objects = objects.clone();
    let Some(hex) = key.strip_prefix("shard/") else {
        objects.insert(key.to_owned(), text.into());
        return objects;
    };
    let name = Digest::of(text.as_bytes()).to_hex();
    objects.remove(key);
    objects.insert(format!("shard/{name}"), text.into());
    for (_, bytes) in objects
        .iter_mut()
        .filter(|(key, _)| key.starts_with("checkpoint/"))
    {
        let root = String::from_utf8(bytes.to_vec())
            .unwrap()
            .replace(hex, &name);
        let mut root: Json = serde_json::from_str(&root).unwrap();
        root.as_object_mut().unwrap().remove("check").unwrap();
        *bytes = sealed(true, &root.to_string()).into();
    }
    objects
}

pub(crate) async fn read_all() {
    let (objects, root) = sound().await;
    let mut kinds = 0;
    for kind in [
        "beat/",
        "checkpoint/",
        "log/",
        "mainstay.json",
        "shard/",
        "tally/",
    ] {
        // The newest of its kind; of shards and tallies each, as they differ.
        let of_kind: Vec<_> = objects
            .iter()
            .filter(|(key, _)| key.starts_with(kind))
            .collect();
        let all = matches!(kind, "shard/" | "tally/");
        let skipped = if all {
            of_kind.len().saturating_sub(6)
        } else {
            of_kind.len() - 1
        };
        for (key, bytes) in of_kind.into_iter().skip(skipped) {
            kinds += 1;
            let mut sample: Json = serde_json::from_slice(bytes).unwrap();
            let check = sample.as_object_mut().unwrap().remove("check");
            for (place, text) in bombs(&sample) {
                let text = sealed(check.is_some(), &text);
                let storage = storage_of(&replaced(&objects, key, text)).await;
                read(&format!("{key}{place}"), &storage, &root).await;
            }
        }
    }
    assert!(kinds > 8, "{kinds}");
    read_pages(&objects, &root).await;
}

/// Pages of trees are blobs like others: who would read them as pages has to be careful.
async fn read_pages(objects: &Objects, root: &Digest) {
    let storage = storage_of(objects).await;
    let repo = Repo::open(Arc::clone(&storage) as _, RepoOptions::default())
        .await
        .unwrap();
    let page = repo
        .blob(root)
        .await
        .unwrap()
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let page: Json = serde_json::from_slice(&page).unwrap();
    for (place, text) in bombs(&page) {
        let mut ingest = repo.ingest();
        let bomb = ingest.bytes(text.into()).await.unwrap().digest;
        ingest.finish().await.map(drop).unwrap();
        read(&format!("page{place}"), &storage, &bomb).await;
    }
}
