//! The conformance suite and the race of the `conformance` feature.

use mainstay_store::conformance::{self, RaceOptions, RunOptions};

use super::{open, open_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_passes_every_case() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir.path().join("a.db")).await;
    let report = conformance::run(storage, &RunOptions::default().with_seed(1)).await;
    report.check(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_namespaces_at_once_pass_every_case() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    let options = RunOptions::default().with_seed(1);
    let a = open_with(&file, &[("namespace", "a")]).await.unwrap();
    let b = open_with(&file, &[("namespace", "b")]).await.unwrap();
    let (a, b) = tokio::join!(conformance::run(a, &options), conformance::run(b, &options));
    a.check(&[]).unwrap();
    b.check(&[]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_racing_creators_one_wins_each_of_a_hundred_rounds() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir.path().join("a.db")).await;
    let report = conformance::race(storage, &RaceOptions::default())
        .await
        .unwrap();
    assert!(
        report.is_exclusive() && report.failed_calls == 0,
        "{report}"
    );
}
