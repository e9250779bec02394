use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Clock as _, Digest, ErrorKind, ManualClock, RefPath, SeededIds, Timestamp};
use mainstay_store::{Key, MemoryStorage, NoWait, Prefix, Storage, StorageExt as _};

use super::run::MAX_BEHIND;
use super::*;
use crate::blobs::testing::random_bytes;
use crate::{
    CollectOptions, CommitOutcome, Expectation, RefState, RepoOptions, Transaction, Value,
    VerifyLevel, View,
};

mod collected;
mod crashes;
mod differing;
mod faithful;
mod model;
mod moved;
mod races;

type Memory = Arc<MemoryStorage>;

/// Opens a repository as a new process does; `seed` names the process.
async fn open(storage: Arc<dyn Storage>, clock: &Arc<ManualClock>, seed: u64) -> Repo {
    let options = RepoOptions::default()
        .with_clock(Arc::clone(clock) as _)
        .with_ids(Arc::new(SeededIds::new(seed)))
        .with_timer(Arc::new(NoWait::default()))
        .with_checkpoint_every(8);
    Repo::create(storage, options).await.unwrap()
}

/// Copies the objects to keep.
async fn copy(
    from: &MemoryStorage,
    into: &MemoryStorage,
    keep: impl Fn(&Key) -> bool + Send + Sync,
) {
    let listed: Vec<_> = from.list(&Prefix::all(), None).try_collect().await.unwrap();
    for object in listed.into_iter().filter(|object| keep(&object.key)) {
        let bytes = from.get_all(&object.key).await.unwrap().unwrap();
        into.create(&object.key, bytes).await.map(drop).unwrap();
    }
}

/// Two storages and a clock.
struct Pair {
    from: Memory,
    into: Memory,
    clock: Arc<ManualClock>,
    opened: u64,
}

impl Pair {
    fn new() -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        Self {
            from: Memory::default(),
            into: Memory::default(),
            clock: Arc::new(ManualClock::new(start)),
            opened: 0,
        }
    }

    async fn source(&mut self) -> Repo {
        self.opened += 1;
        open(Arc::clone(&self.from) as _, &self.clock, 2 * self.opened).await
    }

    async fn target(&mut self) -> Repo {
        self.opened += 1;
        open(
            Arc::clone(&self.into) as _,
            &self.clock,
            2 * self.opened + 1,
        )
        .await
    }

    /// A source and a target.
    async fn both(&mut self) -> (Repo, Repo) {
        (self.source().await, self.target().await)
    }
}

fn all() -> ReplicateOptions {
    ReplicateOptions::default()
}

fn mirror() -> Actor {
    Actor::new("mirror").unwrap()
}

async fn run(source: &Repo, target: &Repo, options: &ReplicateOptions) -> Result<ReplicateReport> {
    source.replicate(target, options, mirror()).await
}

async fn replicated(source: &Repo, target: &Repo) -> ReplicateReport {
    run(source, target, &all()).await.unwrap()
}

fn big(seed: u64) -> Bytes {
    random_bytes(60_000, seed).into()
}

async fn store(repo: &Repo, contents: &[Bytes]) -> Result<Vec<Digest>> {
    let mut ingest = repo.ingest();
    let mut digests = Vec::new();
    for content in contents {
        digests.push(ingest.bytes(content.clone()).await?.digest);
    }
    ingest.finish().await?;
    Ok(digests)
}

async fn commit(repo: &Repo, reason: &str, sets: &[(&str, Option<Value>)]) -> Result<()> {
    let mut transaction = Transaction::new(Actor::new("ada")?, reason);
    for (path, value) in sets {
        match value {
            Some(value) => transaction.set(path.parse()?, value.clone(), Expectation::Any),
            None => transaction.delete(path.parse()?, Expectation::Any),
        };
    }
    match repo.commit(transaction).await? {
        CommitOutcome::Committed(_) => Ok(()),
        CommitOutcome::Conflict(conflict) => Err(conflict.into_error()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside a deletion")]
fn note(text: &str) -> Option<Value> {
    Some(Value::new("note", &text).unwrap())
}

/// Makes a ref hold files.
async fn put(repo: &Repo, path: &str, contents: &[Bytes]) {
    let blobs = store(repo, contents).await.unwrap();
    let value = Value::new("files", &path).unwrap().with_blobs(blobs);
    commit(repo, "put", &[(path, Some(value))]).await.unwrap();
}

async fn read(repo: &Repo, content: &Bytes) -> Option<Bytes> {
    let blob = repo.blob(&Digest::of(content)).await.unwrap()?;
    Some(blob.bytes().await.unwrap())
}

async fn assert_sound(repo: &Repo) {
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, []);
}

/// Every ref of a view that is not of the repository itself, tombstones included.
async fn states(view: &View) -> BTreeMap<RefPath, RefState> {
    let states = view.read(|view| {
        let states = view.states_below("")?;
        let states = states.filter(|(path, _)| !path.is_below("gc") && !path.is_below("replica"));
        Ok(states
            .map(|(path, state)| (path.clone(), state.clone()))
            .collect())
    });
    states.await.unwrap()
}

/// The same without what counts a log's entries.
async fn values(view: &View) -> BTreeMap<String, (u64, Option<Value>)> {
    let states = states(view).await.into_iter();
    states
        .map(|(path, state)| (path.to_string(), (state.generation, state.value)))
        .collect()
}

async fn assert_same(source: &Repo, target: &Repo) {
    let source = source.view().await.unwrap();
    let target = target.view().await.unwrap();
    assert_eq!(values(&source).await, values(&target).await);
}

/// Who changed a ref why and when, newest first.
async fn told(repo: &Repo, path: &str) -> Vec<(u64, Timestamp, String, String, Option<Value>)> {
    let history = repo.history(&path.parse().unwrap());
    let changes: Vec<_> = history.try_collect().await.unwrap();
    let tell = |change: crate::RefChange| {
        let actor = change.actor.to_string();
        (
            change.generation,
            change.time,
            actor,
            change.reason,
            change.value,
        )
    };
    changes.into_iter().map(tell).collect()
}

async fn collect(repo: &Repo) {
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(Duration::ZERO);
    let plan = repo.plan_collection(&options).await.unwrap();
    let applied = repo.apply_collection(&plan, mirror(), "collect").await;
    applied.map(drop).unwrap();
}
