//! What the tests share.

use std::sync::Arc;

use mainstay_core::{Actor, ManualClock, RefPath, SeededIds, Timestamp};
use mainstay_repo::{
    CommitOutcome, Committed, Conflict, Expectation, Repo, RepoOptions, Transaction, Value,
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
