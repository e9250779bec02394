//! A repository with an object of every kind that there is, in every state.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mainstay_core::{Actor, Digest, Edge, EdgeKind, ManualClock, NodeRef, SeededIds, Timestamp};
use mainstay_store::{Key, MemoryStorage, NoWait, Storage};

use super::{Objects, objects};
use crate::blobs::BlobStore;
use crate::blobs::record::Kind;
use crate::blobs::testing::random_bytes;
use crate::checkpoint::swept::Swept;
use crate::checkpoint::{load, shard_key};
use crate::gc::catalog::Catalog;
use crate::{
    Accuracy, CollectOptions, CommitOutcome, Expectation, ReplicateOptions, Repo, RepoOptions,
    Scale, Transaction, TreeBuilder, TreeEntry, Value, keys,
};

const GRACE: Duration = Duration::from_hours(1);

pub(super) struct Rich {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) repo: Repo,
    /// What is stored under each key.
    pub(super) objects: Objects,
    /// The packs with chunks.
    pub(super) data: BTreeSet<Key>,
    /// The roots of checkpoints that a collection has condemned and not deleted.
    pub(super) condemned: BTreeSet<Key>,
    /// The shards that no other checkpoint names.
    pub(super) loose: BTreeSet<Key>,
    /// What live refs name.
    pub(super) contents: Vec<Vec<u8>>,
}

/// Blobs of every codec: inline, raw, of several chunks, compressed, grouped by two and by four bytes.
fn contents() -> Vec<Vec<u8>> {
    let noise = random_bytes(6_000, 3);
    let grouped = |width: usize| {
        let numbers = noise.chunks_exact(width - 1);
        numbers.flat_map(|noise| [noise, &[7]].concat()).collect()
    };
    vec![
        b"small".to_vec(),
        b"compressible ".repeat(2_000),
        random_bytes(18_000, 1),
        random_bytes(90_000, 2),
        [grouped(2), vec![0; 9_000]].concat(),
        [grouped(4), vec![0; 9_000]].concat(),
    ]
}

fn actor() -> Actor {
    Actor::new("tester").unwrap()
}

fn options(clock: &Arc<ManualClock>, seed: u64) -> RepoOptions {
    RepoOptions::default()
        .with_clock(Arc::clone(clock) as _)
        .with_ids(Arc::new(SeededIds::new(seed)))
        .with_timer(Arc::new(NoWait::default()))
        .with_checkpoint_every(2)
}

async fn commit(repo: &Repo, path: &str, value: Option<Value>) {
    let mut transaction = Transaction::new(actor(), "test");
    let at = path.parse().unwrap();
    match value {
        Some(value) => transaction.set(at, value, Expectation::Any),
        None => transaction.delete(at, Expectation::Any),
    };
    transaction.idempotency_key(format!("{path} {}", repo.cached_view().seq()));
    let outcome = repo.commit(transaction).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
    repo.settle().await;
}

fn value(n: usize, blobs: impl IntoIterator<Item = Digest>) -> Value {
    let to: NodeRef = format!("data:d{}@1", n % 2).parse().unwrap();
    let value = Value::new("model.version", &n).unwrap().with_blobs(blobs);
    value.with_edges([Edge::new(EdgeKind::Used, to)])
}

/// A run of collection, a grace after the one before.
async fn collect(repo: &Repo, clock: &ManualClock) {
    clock.advance(GRACE);
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(GRACE)
        .with_checkpoint_spacing_percent(60);
    let plan = repo.plan_collection(&options).await.unwrap();
    let applied = repo.apply_collection(&plan, actor(), "collect").await;
    applied.map(drop).unwrap();
    repo.settle().await;
}

impl Rich {
    pub(super) async fn new() -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        let repo = Repo::create(Arc::clone(&storage), options(&clock, 1));
        let repo = repo.await.unwrap();
        store(&storage, &repo).await;
        count(&repo).await;
        replicate(&repo, &clock).await;
        repo.beat(&"deployment:web@1".parse().unwrap())
            .await
            .unwrap();

        // Some is deleted, some condemned; some waits.
        commit(&repo, "model/gone/version/1", None).await;
        for _ in 0..3 {
            collect(&repo, &clock).await;
        }
        commit(&repo, "model/late/version/1", None).await;
        collect(&repo, &clock).await;
        for n in 0..12 {
            commit(&repo, &format!("note/n{n}"), Some(value(n, []))).await;
        }
        let mut given_up = repo.ingest();
        let unnamed = given_up.bytes(random_bytes(20_000, 8).into()).await;
        unnamed.map(drop).unwrap();
        given_up.finish().await.map(drop).unwrap();
        collect(&repo, &clock).await;

        let condemned = condemned(&storage, &repo).await;
        let rich = Self {
            objects: objects(&*storage).await,
            data: data(&storage).await,
            loose: loose(&storage, &condemned).await,
            condemned,
            contents: contents(),
            storage,
            repo,
        };
        rich.assert_rich().await;
        rich
    }

    async fn assert_rich(&self) {
        for directory in [
            "beat/",
            "checkpoint/",
            "index/",
            "log/",
            "mainstay.json",
            "pack/",
            "shard/",
            "tally/",
        ] {
            let mut keys = self.objects.keys();
            assert!(keys.any(|key| key.as_str().starts_with(directory)));
        }
        let mut tallies = self.objects.keys().map(Key::as_str);
        assert!(tallies.any(|key| key.starts_with("tally/") && !key.contains("-base-")));
        let superseding = |(key, bytes): (&Key, &bytes::Bytes)| {
            key.as_str().starts_with("index/") && bytes[8..12] == [2, 0, 0, 0]
        };
        assert!(self.objects.iter().any(superseding));
        let view = self.repo.view().await.unwrap();
        let roots = self.objects.keys().map(Key::as_str);
        let roots = roots.filter(|key| key.starts_with("checkpoint/")).count();
        assert!(!self.condemned.is_empty() && roots > self.condemned.len() + 2);
        let packs = view.read(|view| {
            let packs = view.states_below("gc/pack")?;
            Ok(packs.map(|(_, state)| state.value.is_some()).collect())
        });
        let packs: BTreeSet<bool> = packs.await.unwrap();
        assert_eq!(packs, BTreeSet::from([false, true]), "deleted, condemned");
        assert!(view.below("replica").unwrap().count() > 0);
        assert!(!self.data.is_empty());
    }
}

/// Blobs and a tree, in sessions whose index objects are merged; versions that name them, with edges.
async fn store(storage: &Arc<dyn Storage>, repo: &Repo) {
    for (n, content) in contents().into_iter().enumerate() {
        let merging = BlobStore::eager(Arc::clone(storage), 1_000, 3);
        let mut ingest = merging.ingest();
        let blob = ingest.bytes(content.into()).await.unwrap().digest;
        ingest.finish().await.map(drop).unwrap();
        let path = format!("model/m{n}/version/1");
        commit(repo, &path, Some(value(n, [blob]))).await;
    }
    let mut ingest = repo.ingest();
    let mut tree = TreeBuilder::new();
    for n in 0..40 {
        let blob = ingest.bytes(format!("file {n}").into()).await.unwrap();
        let entry = TreeEntry::new(format!("f{n:02}"), n.into(), [blob.digest]);
        tree.add(&mut ingest, &entry).await.unwrap();
    }
    let root = tree.finish(&mut ingest).await.unwrap().root;
    let mut unnamed = Vec::new();
    for seed in [6, 7] {
        let blob = ingest.bytes(random_bytes(20_000, seed).into()).await;
        unnamed.push(blob.unwrap().digest);
    }
    ingest.finish().await.map(drop).unwrap();
    let of_tree = Value::new("files", &1).unwrap().with_trees([root]);
    commit(repo, "data/d0/version/1", Some(of_tree)).await;
    for (name, blob) in ["gone", "late"].into_iter().zip(unnamed) {
        let path = format!("model/{name}/version/1");
        commit(repo, &path, Some(value(9, [blob]))).await;
    }
}

/// A base, and what a replica has counted since.
async fn count(repo: &Repo) {
    let keeper = repo.lease("tallies", actor(), Duration::from_secs(30));
    let lease = keeper.unwrap().try_acquire().await.unwrap().unwrap();
    let subject = "experiment/checkout".parse().unwrap();
    let tally = repo.tally(&subject, actor()).unwrap();
    let counter = tally.counter(&"exposures".parse().unwrap()).unwrap();
    let sum = tally.accumulator(&"reward".parse().unwrap(), Scale::BITS_32);
    let took = tally.histogram(&"latency".parse().unwrap(), Accuracy::ONE_PERCENT);
    let (sum, took) = (sum.unwrap(), took.unwrap());
    for round in 0..2_u32 {
        counter.add(3);
        sum.add(0.5).unwrap();
        took.observe(12.5 + f64::from(round)).unwrap();
        tally.flush().await.unwrap();
        if round == 0 {
            repo.compact_tally(&subject, &lease)
                .await
                .map(drop)
                .unwrap();
        }
    }
    lease.renew().await.unwrap();
    repo.settle().await;
}

/// A mirror of another repository.
async fn replicate(repo: &Repo, clock: &Arc<ManualClock>) {
    let source = Repo::create(Arc::new(MemoryStorage::new()), options(clock, 2));
    let source = source.await.unwrap();
    let mut ingest = source.ingest();
    let blob = ingest.bytes("mirrored".into()).await.unwrap().digest;
    ingest.finish().await.map(drop).unwrap();
    commit(&source, "model/theirs/version/1", Some(value(1, [blob]))).await;
    let options = ReplicateOptions::default().with_namespace("mirror");
    source
        .replicate(repo, &options, actor())
        .await
        .map(drop)
        .unwrap();
    repo.settle().await;
}

/// The packs that hold chunks.
async fn data(storage: &Arc<dyn Storage>) -> BTreeSet<Key> {
    let catalog = Catalog::load(storage).await.unwrap();
    let packs = catalog.packs.iter().filter(|(_, pack)| {
        let mut entries = pack.entries.iter();
        pack.stored.is_some() && entries.any(|entry| entry.header.id.kind == Kind::Chunk)
    });
    packs.map(|(id, _)| id.key().unwrap()).collect()
}

async fn loose(storage: &Arc<dyn Storage>, condemned: &BTreeSet<Key>) -> BTreeSet<Key> {
    let (mut shards, mut named) = (BTreeSet::new(), BTreeSet::new());
    for key in objects(&**storage).await.into_keys() {
        if key.as_str().starts_with("shard/") {
            shards.insert(key);
        } else if key.as_str().starts_with("checkpoint/") && !condemned.contains(&key) {
            let root = load::root(&**storage, keys::number(&key).unwrap()).await;
            named.extend(root.unwrap().shards().map(|shard| shard_key(&shard)));
        }
    }
    &shards - &named
}

async fn condemned(storage: &Arc<dyn Storage>, repo: &Repo) -> BTreeSet<Key> {
    let swept = Swept::read(&repo.view().await.unwrap()).await.unwrap();
    let roots = objects(&**storage).await.into_keys().filter(|key| {
        key.as_str().starts_with("checkpoint/")
            && keys::number(key).is_some_and(|seq| swept.condemns(seq))
    });
    roots.collect()
}
