//! What the tests share.

use std::sync::Arc;

use std::collections::BTreeMap;

use mainstay_core::{Actor, ManualClock, RefPath, Result, SeededIds, Timestamp};
use mainstay_repo::{
    CommitOutcome, Committed, Conflict, Expectation, RefState, Repo, RepoOptions, Transaction,
    Value, View,
};
use mainstay_store::{NoWait, Storage};

/// Options that make runs repeat: ids from `seed`, a clock that stands still, no waiting.
pub(crate) fn options(seed: u64) -> RepoOptions {
    RepoOptions::default()
        .with_clock(Arc::new(ManualClock::new(start())))
        .with_ids(Arc::new(SeededIds::new(seed)))
        .with_timer(Arc::new(NoWait::default()))
        .with_max_commit_attempts(10_000)
}

pub(crate) fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(crate) async fn repo(storage: &Arc<dyn Storage>, seed: u64) -> Repo {
    Repo::create(Arc::clone(storage), options(seed))
        .await
        .unwrap()
}

pub(crate) fn path(text: &str) -> RefPath {
    text.parse().unwrap()
}

pub(crate) fn note(text: impl std::fmt::Display) -> Value {
    Value::new("note", &text.to_string()).unwrap()
}

pub(crate) fn transaction() -> Transaction {
    Transaction::new(Actor::new("tester").unwrap(), "test")
}

pub(crate) fn set(at: &str, text: impl std::fmt::Display, expectation: Expectation) -> Transaction {
    let mut transaction = transaction();
    transaction.set(path(at), note(text), expectation);
    transaction
}

/// Every ref of a view, tombstones included.
pub(crate) async fn states(view: &View) -> Result<BTreeMap<RefPath, RefState>> {
    view.read(|view| {
        let states = view.states_below("")?;
        Ok(states
            .map(|(path, state)| (path.clone(), state.clone()))
            .collect())
    })
    .await
}

/// A ref of a view; `None` when it holds no value.
pub(crate) async fn held(view: &View, at: &str) -> Option<RefState> {
    let at = path(at);
    view.read(|view| Ok(view.get(&at)?.cloned())).await.unwrap()
}

/// How many refs below a prefix hold a value.
pub(crate) async fn count(view: &View, prefix: &str) -> u64 {
    let count = view.read(|view| Ok(view.below(prefix)?.count()));
    count.await.unwrap() as u64
}

pub(crate) fn committed(outcome: CommitOutcome) -> Committed {
    match outcome {
        CommitOutcome::Committed(committed) => committed,
        CommitOutcome::Conflict(conflict) => panic!("conflict: {conflict:?}"),
    }
}

pub(crate) fn conflict(outcome: CommitOutcome) -> Conflict {
    match outcome {
        CommitOutcome::Conflict(conflict) => conflict,
        CommitOutcome::Committed(committed) => panic!("committed: {committed:?}"),
    }
}
