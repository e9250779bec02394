//! The conformance suite.

use mainstay_store::conformance::{self, RunOptions};

use super::{open, open_with};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_passes_every_case() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir.path().join("a.db")).await;
    let report = conformance::run(storage, &RunOptions::default().with_seed(1)).await;
    assert!(
        report.failed.is_empty() && report.skipped.is_empty(),
        "{report}"
    );
    assert_eq!(report.passed.len(), conformance::cases().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_namespace_beside_another_passes_every_case() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    let other = open(&file).await;
    let storage = open_with(&file, &[("namespace", "b")]).await.unwrap();
    let options = RunOptions::default().with_seed(1);
    let (report, beside) = tokio::join!(
        conformance::run(storage, &options),
        conformance::run(other, &options)
    );
    for report in [report, beside] {
        assert!(
            report.failed.is_empty() && report.skipped.is_empty(),
            "{report}"
        );
    }
}
