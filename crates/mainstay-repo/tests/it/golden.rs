//! The stored formats, byte for byte as the version that introduced each wrote them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use futures::future::join;
use mainstay_core::{Actor, Edge, EdgeKind, ManualClock, NodeRef, RefPath, Result};
use mainstay_repo::{Expectation, Repo, RepoOptions, Transaction, Value, View};
use mainstay_store::{Key, MemoryStorage, Prefix, PutMode, Storage, StorageExt as _};

use crate::support::{committed, options, path, start, states};

/// Where each directory of the storage is kept, in the format that is written now.
const NEWEST: [(&str, &str); 4] = [
    ("mainstay.json", "repository/v1"),
    ("log/", "log/v1"),
    ("checkpoint/", "checkpoint/v2"),
    ("shard/", "checkpoint/v2"),
];
/// The same, as the first version wrote it.
const OLDEST: [(&str, &str); 4] = [
    ("mainstay.json", "repository/v1"),
    ("log/", "log/v1"),
    ("checkpoint/", "checkpoint/v1"),
    ("shard/", "checkpoint/v1"),
];

fn golden(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/golden/{format}"))
}

fn file_of(key: &Key) -> Option<PathBuf> {
    NEWEST
        .into_iter()
        .find(|(start, _)| key.as_str().starts_with(start))
        .map(|(_, format)| golden(format).join(key.as_str()))
}

fn options_at(clock: &Arc<ManualClock>) -> RepoOptions {
    options(7)
        .with_clock(Arc::<ManualClock>::clone(clock))
        .with_checkpoint_every(2)
}

/// A small repository that uses every member of every record.
async fn written(storage: &Arc<dyn Storage>) -> Repo {
    let clock = Arc::new(ManualClock::new(start()));
    let repo = Repo::create(Arc::clone(storage), options_at(&clock))
        .await
        .unwrap();
    let mut ingest = repo.ingest();
    let blob = ingest.bytes("weights".into()).await.unwrap().digest;
    ingest.finish().await.unwrap();
    let model: NodeRef = "model:fraud@1.0.0".parse().unwrap();
    let record =
        serde_json::json!({"auc": 0.75, "name": "Größe", "rows": 1000, "tags": [true, null]});
    let value = Value::new("model.version", &record)
        .unwrap()
        .with_blobs([blob])
        .with_edges([
            Edge::new(EdgeKind::Used, "data:payments@3".parse().unwrap())
                .with_role("train".parse().unwrap()),
            Edge::new(EdgeKind::DerivedFrom, "model:fraud@0.9.0".parse().unwrap()),
        ]);
    let ada = Actor::new("Ada <ada@example.org>").unwrap();
    let champion = path("model/fraud/alias/champion");
    let mut register = Transaction::new(ada.clone(), "first version");
    register
        .set(model.ref_path(), value, Expectation::Absent)
        .set(champion.clone(), Value::pointer(&model), Expectation::Any)
        .idempotency_key("register-1");
    let mut retire = Transaction::new(ada.clone(), "");
    retire.delete(champion.clone(), Expectation::Generation(1));
    let mut restore = Transaction::new(ada, "back again");
    restore.set(
        champion.clone(),
        Value::pointer(&model),
        Expectation::Absent,
    );
    for transaction in [register, retire, restore] {
        clock.advance(Duration::from_millis(1_500));
        committed(repo.commit(transaction).await.unwrap());
        repo.settle().await;
    }
    // Two callers at once share an entry, and one ref changes twice in it.
    clock.advance(Duration::from_millis(1_500));
    let [mut remove, mut reset] = ["ada", "bob"].map(|name| {
        let actor = Actor::new(name).unwrap();
        Transaction::new(actor, format!("{name}'s"))
    });
    remove.delete(champion.clone(), Expectation::Generation(3));
    reset
        .set(champion, Value::pointer(&model), Expectation::Absent)
        .idempotency_key("reset-1");
    let both = join(repo.commit(remove), repo.commit(reset)).await;
    let both = [both.0, both.1].map(|outcome| committed(outcome.unwrap()).seq);
    assert_eq!(both, [4, 4]);
    repo.settle().await;
    repo
}

async fn objects(storage: &Arc<dyn Storage>) -> BTreeMap<Key, Vec<u8>> {
    let listed: Vec<_> = storage
        .list(&Prefix::all(), None)
        .try_collect()
        .await
        .unwrap();
    let mut objects = BTreeMap::new();
    for meta in listed {
        let bytes = storage.get_all(&meta.key).await.unwrap().unwrap();
        objects.insert(meta.key, bytes.to_vec());
    }
    objects
}

#[tokio::test]
async fn what_is_written_is_what_each_format_says() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    written(&storage).await;
    let (mut compared, mut missing) = (0, Vec::new());
    for (key, bytes) in objects(&storage).await {
        let Some(file) = file_of(&key) else {
            continue;
        };
        if let Ok(golden) = fs::read(&file) {
            let texts = [bytes, golden].map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(texts[0], texts[1], "{key}");
        } else {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, bytes).unwrap();
            missing.push(file);
        }
        compared += 1;
    }
    assert!(
        missing.is_empty(),
        "were missing and have been written, commit them: {missing:?}"
    );
    // Descriptor, four entries, two roots, and three shards of each.
    assert_eq!(compared, 13);
}

#[tokio::test]
async fn what_any_version_wrote_can_be_read_and_appended_to() {
    for formats in [NEWEST, OLDEST] {
        read_and_append(formats).await;
    }
}

async fn read_and_append(formats: [(&str, &str); 4]) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    for (start, format) in formats {
        let root = golden(format);
        let place = root.join(start);
        let files = if start.ends_with('/') {
            fs::read_dir(&place)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect()
        } else {
            vec![place]
        };
        for file in files {
            let key = file
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            let bytes = fs::read(&file).unwrap();
            storage
                .put(&Key::new(key).unwrap(), bytes.into(), PutMode::Create)
                .await
                .map(drop)
                .unwrap();
        }
    }
    let repo = Repo::open(Arc::clone(&storage), options(8)).await.unwrap();
    let memory: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let now = written(&memory).await;
    let texts = async |repo: &Repo| -> Vec<String> {
        let log: Vec<_> = repo.entries(0).try_collect().await.unwrap();
        log.iter().map(|entry| format!("{entry:?}")).collect()
    };
    assert_eq!(texts(&repo).await, texts(&now).await);
    for seq in 0..=4 {
        let (then, now) = (
            repo.view_at(seq).await.unwrap(),
            now.view_at(seq).await.unwrap(),
        );
        assert_eq!(states(&then).await.unwrap(), states(&now).await.unwrap());
        let lineage = async |view: &View| view.read(lineage).await.unwrap();
        assert_eq!(lineage(&then).await, lineage(&now).await);
    }
    let next = crate::support::set("note/a", 1, Expectation::Absent);
    assert_eq!(committed(repo.commit(next).await.unwrap()).seq, 5);
}

/// Who depends on the data, and which names the model has.
fn lineage(view: &View) -> Result<(usize, Vec<RefPath>)> {
    let (data, model) = ("data:payments@3".parse()?, "model:fraud@1.0.0".parse()?);
    Ok((view.dependents(&data)?.len(), view.names(&model)?))
}
