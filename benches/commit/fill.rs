//! What is committed, and a long log of it.

use mainstay_core::{Actor, RefPath};
use mainstay_repo::{CommitOutcome, Expectation, Repo, Transaction, Value};

/// How many refs lie below one prefix.
pub(crate) const BELOW_ONE: u64 = 1_000;

/// The prefix of ref `n`.
pub(crate) fn prefix(n: u64) -> String {
    format!("model/m{:05}", n / BELOW_ONE)
}

pub(crate) fn path(n: u64) -> RefPath {
    format!("{}/version/{n:07}", prefix(n)).parse().unwrap()
}

/// The registration of a small model version.
pub(crate) fn registration(n: u64) -> Transaction {
    let record = serde_json::json!({
        "format": 1,
        "name": "fraud",
        "version": n,
        "metrics": { "auc": 0.91, "loss": 0.173 },
        "params": { "depth": 8, "learning_rate": 0.05 },
        "tags": ["nightly"],
    });
    let mut registration = Transaction::new(Actor::new("bench").unwrap(), "register");
    let value = Value::new("model.version", &record).unwrap();
    registration.set(path(n), value, Expectation::Absent);
    registration
}

pub(crate) async fn commit(repo: &Repo, n: u64) {
    match repo.commit(registration(n)).await.unwrap() {
        CommitOutcome::Committed(_) => {}
        CommitOutcome::Conflict(conflict) => panic!("{conflict:?}"),
    }
}

/// Commits one entry for each ref, so that the log is as long as there are refs.
pub(crate) async fn fill(repo: &Repo, entries: u64) {
    for n in 0..entries {
        commit(repo, n).await;
    }
    repo.settle().await;
}
