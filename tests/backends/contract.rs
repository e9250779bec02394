//! The contract of `Storage`.

use mainstay::RandomIds;
use mainstay::store::probe;
use mainstay_store::conformance::{self, RaceOptions, RunOptions, race};

use crate::target::Target;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_conformance_case_passes_and_none_but_the_documented_is_skipped() {
    let Some(target) = Target::new("conformance") else {
        return;
    };
    let skipped = std::env::var("MAINSTAY_TEST_SKIPS").unwrap_or_default();
    let skipped: Vec<&str> = skipped.split_whitespace().collect();
    let report = conformance::run(target.open().await, &RunOptions::default()).await;
    report.check(&skipped).unwrap();
    target.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_probe_finds_nothing_to_refuse() {
    let Some(target) = Target::new("probe") else {
        return;
    };
    let storage = target.open().await;
    probe(&*storage, &RandomIds::default()).await.unwrap();
    target.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_racing_creators_exactly_one_wins_in_a_hundred_rounds() {
    let Some(target) = Target::new("race") else {
        return;
    };
    let report = race(target.open().await, &RaceOptions::default())
        .await
        .unwrap();
    assert!(report.is_exclusive(), "{report}");
    assert_eq!((report.writers, report.rounds), (16, 100));
    assert_eq!(report.failed_calls, 0, "{report}");
    target.clear().await;
}
