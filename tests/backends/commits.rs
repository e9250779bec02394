//! Commits of many writers.

use mainstay::repo::{Repo, RepoOptions};
use tests::linearizability::workload::{self, Workload};
use tests::linearizability::{Operation, Refs, Verdict, check};

use crate::target::Target;

const WRITERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_of_fifty_commits_see_one_order_and_lose_none() {
    let Some(target) = Target::new("commits") else {
        return;
    };
    // Each opens the storage anew, with connections of its own.
    let options = RepoOptions::default;
    let observer = Repo::create(target.open().await, options()).await.unwrap();
    let mut handles = Vec::new();
    for _ in 0..WRITERS {
        handles.push(Repo::open(target.open().await, options()).await.unwrap());
    }
    let workload = Workload::default();
    let history = workload::run(handles, &observer, workload).await;

    assert!(history.failures.is_empty(), "{:?}", history.failures);
    let verdict = check(&Refs::of(&history.calls), &history.calls, 100_000);
    assert!(matches!(verdict, Verdict::Linearizable(_)), "{verdict:?}");
    let tried = history.calls.iter();
    let tried = tried.filter(|call| !matches!(call.operation, Operation::View(_)));
    assert_eq!(tried.count(), WRITERS * workload.commits);
    let committed = history.calls.iter();
    let committed = committed
        .filter(|call| matches!(call.operation, Operation::Committed { .. }))
        .count();

    // A handle that saw none of it agrees.
    let late = Repo::open(target.open().await, options()).await.unwrap();
    let view = late.view().await.unwrap();
    assert_eq!(view.seq(), u64::try_from(committed).unwrap());
    target.clear().await;
}
