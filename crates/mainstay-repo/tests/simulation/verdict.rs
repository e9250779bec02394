//! The end of a schedule: everybody has ended and nothing fails any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::{Clock as _, Digest};
use mainstay_repo::{CollectionReport, Repo, VerifyLevel, View};
use mainstay_store::{MemoryStorage, NoWait, Storage};

use crate::actors::{COUNTER, GRACE, Stage, actor, collect_options};

/// More are not left of so short a log.
const MOST_CHECKPOINTS: u64 = 16;

/// Checks that the repository is sound and holds what was acknowledged, before and after collections
/// have done all they can. Returns how many packs and checkpoints these deleted.
pub(crate) async fn settle(storage: &Arc<MemoryStorage>, stage: &Stage) -> (u64, u64) {
    let options = stage.options(1, Arc::new(NoWait::default()));
    let storage = Arc::clone(storage) as Arc<dyn Storage>;
    let repo = Repo::open(Arc::clone(&storage), options).await.unwrap();
    assert_sound(&repo).await;
    assert_holds(&repo, stage).await;
    let (mut deleted, mut swept) = (0, 0);
    for round in 0.. {
        assert!(round < 20, "collection does not come to an end");
        stage.clock.advance(GRACE);
        let report = collect(&repo).await;
        let packs = report.deleted.iter().filter(|key| key.starts_with("pack/"));
        deleted += packs.count() as u64;
        swept += report.checkpoints.deleted;
        // A run may leave deletions to the next and have nothing to record.
        if report == CollectionReport::default() {
            break;
        }
    }
    stage.clock.advance(GRACE);
    assert_eq!(collect(&repo).await, CollectionReport::default());
    let options = stage.options(2, Arc::new(NoWait::default()));
    let fresh = Repo::open(storage, options).await.unwrap();
    for repo in [&repo, &fresh] {
        assert_sound(repo).await;
        assert_holds(repo, stage).await;
    }
    assert!(fresh.stats().await.unwrap().checkpoints <= MOST_CHECKPOINTS);
    (deleted, swept)
}

async fn collect(repo: &Repo) -> CollectionReport {
    let plan = repo.plan_collection(&collect_options()).await.unwrap();
    let applied = repo.apply_collection(&plan, actor(), "collect").await;
    repo.settle().await;
    applied.unwrap()
}

async fn assert_sound(repo: &Repo) {
    let report = repo.verify(VerifyLevel::Full).await.unwrap();
    assert_eq!(report.faults, []);
}

async fn assert_holds(repo: &Repo, stage: &Stage) {
    let view = repo.view().await.unwrap();
    view.load("").await.unwrap();
    for content in contents(&view, stage) {
        let blob = repo.blob(&Digest::of(&content)).await.unwrap().unwrap();
        assert_eq!(blob.bytes().await.unwrap(), content);
    }
    assert_log(repo, stage).await;
    assert_past(repo).await;
}

/// The state as of each entry, from whatever checkpoint, is what the log comes to.
async fn assert_past(repo: &Repo) {
    let entries: Vec<_> = repo.entries(0).try_collect().await.unwrap();
    let mut folded = BTreeMap::new();
    let mut entries = entries.into_iter().peekable();
    while let Some(entry) = entries.next() {
        let seq = entry.seq;
        for change in entry.changes {
            folded.insert(change.path, (change.generation, seq, change.value));
        }
        if entries.peek().is_some_and(|next| next.seq == seq) {
            continue;
        }
        let view = repo.view_at(seq).await.unwrap();
        view.load("").await.unwrap();
        let states = view.states_below("").unwrap();
        let states = states.map(|(path, state)| {
            let state = (state.generation, state.seq, state.value.clone());
            (path.clone(), state)
        });
        assert!(states.eq(folded.clone()), "entry {seq}");
    }
}

/// Returns the contents that refs name, each of which holds what it may.
fn contents(view: &View, stage: &Stage) -> Vec<Bytes> {
    let ledger = stage.ledger.lock().unwrap();
    let count = view.get(&COUNTER.parse().unwrap()).unwrap();
    let count = count.and_then(|state| state.value.as_ref());
    ledger.assert_counter(count.map_or(0, |value| value.record.as_u64().unwrap()));
    let mut live = Vec::new();
    for path in ledger.paths() {
        let state = view.get(&path.parse().unwrap()).unwrap();
        let value = state.and_then(|state| state.value.as_ref());
        let digests = value.map(|value| value.blobs.iter().copied().collect());
        let named = |contents: &Vec<Bytes>| -> BTreeSet<Digest> {
            contents.iter().map(|content| Digest::of(content)).collect()
        };
        let possible = ledger.possible(path);
        let mut possible = possible.iter();
        let found = possible.find(|held| held.as_ref().map(named) == digests);
        let Some(found) = found else {
            panic!(
                "{path} holds {digests:?}, not one of {:?}",
                ledger.possible(path)
            );
        };
        live.extend(found.iter().flatten().cloned());
    }
    live
}

/// Each transaction with a key is there once if it was acknowledged, and never twice.
async fn assert_log(repo: &Repo, stage: &Stage) {
    let entries: Vec<_> = repo.entries(0).try_collect().await.unwrap();
    let changes = entries.iter().flat_map(|entry| &entry.changes);
    let mut notes: Vec<&str> = changes
        .filter_map(|change| change.value.as_ref())
        .filter_map(|value| value.record.as_str().filter(|_| value.kind == "note"))
        .collect();
    notes.sort_unstable();
    assert!(notes.is_sorted_by(|a, b| a < b), "twice: {notes:?}");
    let ledger = stage.ledger.lock().unwrap();
    for key in ledger.keys() {
        assert!(notes.binary_search(&&**key).is_ok(), "{key} is not there");
    }
    drop(ledger);
    assert!(entries.is_sorted_by(|a, b| a.time <= b.time));
    let now = stage.clock.now();
    assert!(entries.iter().all(|entry| entry.time <= now));
}
