use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Actor, Digest, ErrorKind, ManualClock, SeededIds, Timestamp};
use mainstay_store::fault::{Applied, Fault, FaultStorage};
use mainstay_store::{MemoryStorage, NoWait, Prefix, Storage, StorageExt as _};

use crate::blobs::testing::random_bytes;
use crate::{
    CollectOptions, CollectionReport, CommitOutcome, Cut, Expectation, Layout, Repo, RepoOptions,
    Transaction, Value, VerifyLevel,
};

mod bounds;
mod crashes;
mod holds;
mod hollow;
mod model;
mod order;
mod progress;
mod reading;
mod scattered;
mod sizes;
mod stalled;
mod sweep;
mod verified;

const GRACE: Duration = Duration::from_hours(1);

/// What may become of an operation.
const FAULTS: [Fault; 5] = [
    Fault::Crash(Applied::Yes),
    Fault::Crash(Applied::No),
    Fault::LoseResponse,
    Fault::LoseRequest,
    Fault::Refuse(ErrorKind::Unavailable),
];

/// A storage that several processes share, with a clock that they share.
struct World {
    storage: Arc<MemoryStorage>,
    clock: Arc<ManualClock>,
    opened: u64,
}

impl World {
    fn new() -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        Self {
            storage: Arc::new(MemoryStorage::new()),
            clock: Arc::new(ManualClock::new(start)),
            opened: 0,
        }
    }

    /// The repository as a new process has it.
    async fn open(&mut self) -> Repo {
        let storage = Arc::clone(&self.storage) as _;
        self.open_on(storage).await
    }

    async fn open_on(&mut self, storage: Arc<dyn Storage>) -> Repo {
        self.open_with(storage, 256).await
    }

    /// The same, with a checkpoint every so many entries.
    async fn open_with(&mut self, storage: Arc<dyn Storage>, every: u64) -> Repo {
        Repo::create(storage, self.options(every)).await.unwrap()
    }

    /// The options of a new process.
    fn options(&mut self, every: u64) -> RepoOptions {
        self.opened += 1;
        RepoOptions::default()
            .with_clock(Arc::clone(&self.clock) as _)
            .with_ids(Arc::new(SeededIds::new(self.opened)))
            .with_timer(Arc::new(NoWait::default()))
            .with_checkpoint_every(every)
    }

    /// A copy of everything, at the same time.
    async fn copy(&self) -> Self {
        let copy = Self {
            opened: self.opened + 100,
            ..Self::new()
        };
        copy.clock.set(mainstay_core::Clock::now(&*self.clock));
        for (key, bytes) in objects(&*self.storage).await {
            let created = copy.storage.create(&key, bytes).await;
            created.map(drop).unwrap();
        }
        copy
    }
}

async fn objects(storage: &dyn Storage) -> BTreeMap<mainstay_store::Key, Bytes> {
    let listed = storage.list(&Prefix::all(), None);
    let listed: Vec<_> = listed.try_collect().await.unwrap();
    let mut objects = BTreeMap::new();
    for object in listed {
        let bytes = storage.get_all(&object.key).await.unwrap().unwrap();
        objects.insert(object.key, bytes);
    }
    objects
}

async fn count(storage: &dyn Storage, directory: &str) -> usize {
    let objects = objects(storage).await;
    objects
        .keys()
        .filter(|key| key.as_str().starts_with(directory))
        .count()
}

/// The keys of the packs and index objects that are stored.
async fn stored(storage: &dyn Storage) -> BTreeSet<String> {
    let listed = storage.list(&Prefix::all(), None);
    let keys = listed.map_ok(|object| object.key.as_str().to_owned());
    let keys: Vec<String> = keys.try_collect().await.unwrap();
    let kept = |key: &String| key.starts_with("pack/") || key.starts_with("index/");
    keys.into_iter().filter(kept).collect()
}

/// What receipts name, each as often as they do.
async fn told(repo: &Repo) -> Vec<String> {
    let receipts: Vec<_> = repo.receipts().try_collect().await.unwrap();
    let told = receipts.into_iter().flat_map(|receipt| receipt.deleted);
    told.collect()
}

/// Receipts name all of `before` that is gone, and nothing that is there.
async fn assert_receipts(repo: &Repo, world: &World, before: &BTreeSet<String>) {
    let now = stored(&*world.storage).await;
    let told: BTreeSet<String> = told(repo).await.into_iter().collect();
    let mut untold = before
        .iter()
        .filter(|key| !now.contains(*key) && !told.contains(*key));
    assert_eq!(untold.next(), None, "no receipt names it");
    assert_eq!(told.intersection(&now).next(), None, "it is still there");
}

/// Only live refs are kept, and packs wait for an hour.
fn options() -> CollectOptions {
    CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(GRACE)
}

fn tester() -> Actor {
    Actor::new("tester").unwrap()
}

async fn store(repo: &Repo, contents: &[Bytes]) -> mainstay_core::Result<Vec<Digest>> {
    let mut ingest = repo.ingest();
    let mut digests = Vec::new();
    for content in contents {
        digests.push(ingest.bytes(content.clone()).await?.digest);
    }
    ingest.finish().await?;
    Ok(digests)
}

async fn name(repo: &Repo, path: &str, blobs: Vec<Digest>) -> mainstay_core::Result<()> {
    let value = Value::new("files", &path)?.with_blobs(blobs);
    let mut transaction = Transaction::new(tester(), "test");
    transaction.set(path.parse()?, value, Expectation::Any);
    match repo.commit(transaction).await? {
        CommitOutcome::Committed(_) => Ok(()),
        CommitOutcome::Conflict(conflict) => Err(conflict.into_error()),
    }
}

async fn put(repo: &Repo, path: &str, contents: &[Bytes]) {
    let blobs = store(repo, contents).await.unwrap();
    name(repo, path, blobs).await.unwrap();
}

async fn drop_ref(repo: &Repo, path: &str) {
    let mut transaction = Transaction::new(tester(), "test");
    transaction.delete(path.parse().unwrap(), Expectation::Any);
    let outcome = repo.commit(transaction).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
}

async fn collect(repo: &Repo) -> CollectionReport {
    collect_with(repo, &options()).await
}

async fn collect_with(repo: &Repo, options: &CollectOptions) -> CollectionReport {
    let plan = repo.plan_collection(options).await.unwrap();
    let applied = repo.apply_collection(&plan, tester(), "collect").await;
    applied.unwrap()
}

/// Collects, an hour apart, until there is nothing more to do.
async fn settle(repo: &Repo, world: &World) {
    settle_with(repo, world, &options()).await;
}

async fn settle_with(repo: &Repo, world: &World, options: &CollectOptions) {
    for _ in 0..12 {
        world.clock.advance(GRACE);
        let report = collect_with(repo, options).await;
        // A run may write an index, and leave to the next what that allows to be deleted.
        if report.seq.is_none() && report.written_bytes == 0 {
            return;
        }
    }
    panic!("collection does not come to an end");
}

async fn read(repo: &Repo, content: &Bytes) -> Option<Bytes> {
    let blob = repo.blob(&Digest::of(content)).await.unwrap()?;
    Some(blob.bytes().await.unwrap())
}

async fn assert_sound(repo: &Repo) {
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, []);
}

fn big(seed: u64) -> Bytes {
    random_bytes(60_000, seed).into()
}

#[tokio::test]
async fn what_no_ref_names_is_waited_for_then_condemned_then_deleted() {
    let mut world = World::new();
    let repo = world.open().await;
    put(&repo, "files/kept", &[big(1), "small".into()]).await;
    put(&repo, "files/dropped", &[big(2)]).await;
    assert_eq!(count(&*world.storage, "pack/").await, 4);
    drop_ref(&repo, "files/dropped").await;
    let reader = world.open().await;
    let dropped = reader.blob(&Digest::of(&big(2))).await.unwrap().unwrap();

    let first = collect(&repo).await;
    assert_eq!((first.waiting, first.condemned), (2, 0));
    // Within the grace nothing changes, and nothing is written.
    assert_eq!(collect(&repo).await.seq, None);
    world.clock.advance(GRACE);
    let second = collect(&repo).await;
    assert_eq!((second.waiting, second.condemned), (0, 2));
    assert_eq!(second.deleted, [""; 0]);
    assert_eq!(dropped.bytes().await.unwrap(), big(2));
    world.clock.advance(GRACE);
    let third = collect(&repo).await;
    let packs = third.deleted.iter().filter(|key| key.starts_with("pack/"));
    assert_eq!(packs.count(), 2);
    assert!(third.freed_bytes > 60_000);
    world.clock.advance(GRACE);
    let fourth = collect(&repo).await;
    assert_eq!(fourth, CollectionReport::default());

    assert_eq!(count(&*world.storage, "pack/").await, 2);
    assert_eq!(count(&*world.storage, "index/").await, 1);
    for repo in [&repo, &reader, &world.open().await] {
        assert_eq!(read(repo, &big(1)).await, Some(big(1)));
        assert!(read(repo, &big(2)).await.is_none());
        assert_sound(repo).await;
    }
    // The log keeps a receipt of each run.
    let runs: Vec<_> = repo
        .history(&"gc/run".parse().unwrap())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(runs.len(), 3);
    let receipt = &runs[0].value.as_ref().unwrap().record["deleted"];
    assert_eq!(receipt.as_array().unwrap().len(), third.deleted.len());
}

#[tokio::test]
async fn what_was_deleted_can_be_stored_again_under_another_pack() {
    let mut world = World::new();
    let repo = world.open().await;
    let other = world.open().await;
    let before = objects(&*world.storage).await.len();
    put(&repo, "files/a", &[big(1)]).await;
    let packs: Vec<_> = objects(&*world.storage)
        .await
        .into_keys()
        .filter(|key| key.as_str().starts_with("pack/"))
        .collect();
    assert!(before < 3 && packs.len() == 2);
    drop_ref(&repo, "files/a").await;
    settle(&repo, &world).await;
    assert_eq!(count(&*world.storage, "pack/").await, 0);
    for repo in [&repo, &other] {
        put(repo, "files/a", &[big(1)]).await;
        assert_eq!(read(repo, &big(1)).await, Some(big(1)));
    }
    for pack in packs {
        assert!(world.storage.get_all(&pack).await.unwrap().is_none());
    }
    settle(&repo, &world).await;
    assert_eq!(read(&other, &big(1)).await, Some(big(1)));
    assert_sound(&repo).await;
}

#[tokio::test]
async fn a_pack_of_which_little_is_needed_is_written_again_first() {
    let mut world = World::new();
    let repo = world.open().await;
    let blobs = store(&repo, &[big(1), big(2), big(3)]).await.unwrap();
    name(&repo, "files/a", vec![blobs[0]]).await.unwrap();
    let plan = repo.plan_collection(&options()).await.unwrap();
    assert_eq!((plan.repack.len(), plan.wait.len()), (0, 1));
    settle(&repo, &world).await;
    let stats = repo.stats().await.unwrap();
    assert_eq!(stats.logical_bytes, 60_000);
    assert_eq!(read(&repo, &big(1)).await, Some(big(1)));
    assert!(read(&repo, &big(2)).await.is_none());
    assert_sound(&repo).await;
}

#[tokio::test]
async fn history_within_retention_and_holds_are_kept() {
    let mut world = World::new();
    let repo = world.open().await;
    put(&repo, "files/a", &[big(1)]).await;
    world.clock.advance(Duration::from_secs(1000));
    put(&repo, "files/a", &[big(2)]).await;
    name(&repo, "hold/case-7", vec![Digest::of(&big(2))])
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(1000));
    put(&repo, "files/a", &[big(3)]).await;
    let keep = |seconds| options().with_keep_history(Duration::from_secs(seconds));
    for (keep, waiting) in [
        (keep(1_500), 0),
        (keep(500), 2),
        (keep(0).with_keep_entries(2), 2),
        (keep(0).with_keep_entries(3), 0),
        (CollectOptions::default(), 0),
        (
            CollectOptions::default().with_keep_history(Duration::MAX),
            0,
        ),
    ] {
        let plan = repo.plan_collection(&keep).await.unwrap();
        assert_eq!(plan.wait.len(), waiting, "{keep:?}");
    }
    let blob = Digest::of(&big(2));
    let explained = repo.explain_blob(&blob, &options()).await.unwrap();
    assert_eq!(explained.refs, ["hold/case-7".parse().unwrap()]);
    assert!(explained.stored && explained.stored_bytes > 60_000);
    let explained = repo
        .explain_blob(&Digest::of(&big(1)), &keep(1_500))
        .await
        .unwrap();
    assert_eq!((explained.refs.len(), explained.history.len()), (0, 1));
    let hold = repo.explain_refs("hold").await.unwrap();
    assert_eq!((hold.refs, hold.blobs), (1, 1));
    assert_eq!(hold.exclusive_bytes, hold.stored_bytes);
    name(&repo, "files/b", vec![blob]).await.unwrap();
    assert_eq!(
        repo.explain_refs("hold/case-7")
            .await
            .unwrap()
            .exclusive_bytes,
        0
    );
}

#[tokio::test]
async fn a_session_that_is_overtaken_is_told_to_store_again() {
    let mut world = World::new();
    let (writer, collector) = (world.open().await, world.open().await);
    put(&writer, "files/a", &[big(1)]).await;
    drop_ref(&writer, "files/a").await;
    let blobs = store(&writer, &[big(1), big(2)]).await.unwrap();
    collect(&collector).await;
    world.clock.advance(GRACE);
    collect(&collector).await;
    let refused = name(&writer, "files/b", blobs.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    settle(&collector, &world).await;
    let refused = name(&world.open().await, "files/b", blobs)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    put(&writer, "files/b", &[big(1), big(2)]).await;
    settle(&collector, &world).await;
    for content in [big(1), big(2)] {
        assert_eq!(read(&writer, &content).await, Some(content));
    }
    assert_sound(&collector).await;
}

#[tokio::test]
async fn a_manifest_left_over_is_not_taken_for_that_of_the_blob_cut_otherwise() {
    let mut world = World::new();
    let repo = world.open().await;
    // Its manifest lies among others that are needed, its chunks in a pack that is not.
    let contents: Vec<Bytes> = (0..40).map(|n| format!("small {n}").into()).collect();
    let mut named = store(&repo, &[contents, vec![big(1)]].concat())
        .await
        .unwrap();
    named.pop();
    name(&repo, "files/small", named).await.unwrap();
    settle(&repo, &world).await;
    let mut layout = Layout::new();
    layout.push(30_000, Cut::Blocks);
    layout.push(30_000, Cut::Blocks);
    let mut ingest = repo.ingest();
    let stored = ingest.bytes_with(big(1), layout).await.unwrap();
    ingest.finish().await.unwrap();
    name(&repo, "files/big", vec![stored.digest]).await.unwrap();
    assert_eq!(read(&repo, &big(1)).await, Some(big(1)));
    assert_sound(&repo).await;
}

#[tokio::test]
async fn a_plan_of_another_repository_is_refused_and_of_the_past_does_what_still_holds() {
    let (mut world, mut other) = (World::new(), World::new());
    let (repo, stranger) = (world.open().await, other.open().await);
    put(&repo, "files/a", &[big(1)]).await;
    put(&stranger, "files/b", &[big(2)]).await;
    drop_ref(&repo, "files/a").await;
    collect(&repo).await;
    world.clock.advance(GRACE);
    let plan = repo.plan_collection(&options()).await.unwrap();
    assert_eq!(plan.condemn.len(), 2);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(
        serde_json::from_str::<crate::CollectionPlan>(&text).unwrap(),
        plan
    );
    let refused = stranger.apply_collection(&plan, tester(), "x").await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    put(&repo, "files/a", &[big(1)]).await;
    let applied = repo.apply_collection(&plan, tester(), "x").await.unwrap();
    assert_eq!(applied.condemned, 0);
    settle(&repo, &world).await;
    assert_eq!(read(&repo, &big(1)).await, Some(big(1)));
}

#[test]
fn the_stored_values_are_those_of_version_1() {
    use super::announced;
    use super::state::{FORMAT, RunRecord, pack_value, run_value};
    use crate::checkpoint::swept;
    let golden = |name: &str| {
        let directory = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/golden/collection/v1"
        );
        std::fs::read(format!("{directory}/{name}")).unwrap()
    };
    let time: Timestamp = "2026-01-01T00:00:01.5Z".parse().unwrap();
    let run = RunRecord {
        format: FORMAT,
        waiting: BTreeMap::from([("ab".repeat(32), time)]),
        deleted: vec![
            format!("index/{}", "cd".repeat(32)),
            format!("pack/{}", "ef".repeat(32)),
        ],
    };
    let pack = pack_value(60_250, "no live ref and no kept history needs it").unwrap();
    let index = announced::value([format!("index/{}", "cd".repeat(32))].into()).unwrap();
    let checkpoints = swept::value([256, 512, 768].into(), [64, 128].into()).unwrap();
    for (name, value) in [
        ("run.json", run_value(&run).unwrap()),
        ("pack.json", pack),
        ("index.json", index),
        ("checkpoints.json", checkpoints),
    ] {
        let stored = mainstay_core::canon::to_vec(&value).unwrap();
        assert_eq!(stored, golden(name), "{name}");
        let read: Value = mainstay_core::canon::from_slice(&golden(name)).unwrap();
        assert_eq!(read, value);
    }
}
