//! The harness on what every machine has.
#![expect(
    clippy::unwrap_used,
    reason = "a failure in a helper fails the test that called it"
)]

use std::path::Path;

use mainstay::Timestamp;
use mainstay_bench::storage::{Options, Report, Scale, run};

async fn measure(targets: &[&str], stop: impl Future<Output = ()> + Send) -> Report {
    let options = Options {
        targets: targets
            .iter()
            .map(|target| target.parse().unwrap())
            .collect(),
        scale: Scale::QUICK,
        seed: 7,
        date: Timestamp::UNIX_EPOCH,
    };
    run(&options, &|_| {}, stop).await
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_backend_has_every_figure_and_nothing_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let disk = format!("disk={}", directory.path().display());
    let report = measure(&["memory=mem:", &disk], std::future::pending()).await;
    assert_eq!(report.failures, []);
    assert_eq!(entries(directory.path()), 0);

    let names: Vec<&str> = report
        .backends
        .iter()
        .map(|facts| facts.name.as_str())
        .collect();
    assert_eq!(names, ["memory", "disk strict", "disk batch", "disk none"]);
    assert_eq!(report.results.len(), 20);
    for row in &report.results {
        let measured: Vec<&str> = row
            .backends
            .iter()
            .map(|spread| spread.backend.as_str())
            .collect();
        assert_eq!(measured, names, "{}", row.metric.name);
        assert!(row.backends.iter().all(|spread| spread.median > 0.0));
    }
    // Ten wrappers, of which one does not write, around memory and a directory.
    assert_eq!(report.wrappers.len(), 2 * (10 + 9));

    let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["date"], "1970-01-01T00:00:00.000000Z");
    assert_eq!(json["results"].as_array().unwrap().len(), 20);
    assert_eq!(json["results"][0]["name"], "race_p50");
    assert_eq!(json["results"][0]["unit"], "us");
    let chart = report.chart().unwrap();
    let page = report.markdown();
    for row in &report.results {
        assert!(chart.contains(&row.metric.title) && page.contains(&row.metric.title));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_fails_is_reported_and_does_not_stop_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let absent = format!("gone={}", directory.path().join("absent").display());
    let report = measure(&[&absent, "memory=mem:"], std::future::pending()).await;
    assert_eq!(report.backends.len(), 1);
    assert_eq!(report.results.len(), 20);
    let [failure] = &report.failures[..] else {
        panic!("{:?}", report.failures)
    };
    assert_eq!(
        (failure.backend.as_str(), failure.workload),
        ("gone", "open")
    );
    assert!(report.markdown().contains("## Failures"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_removes_what_it_wrote_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let disk = format!("disk={}", directory.path().display());
    let under_way = async {
        while entries(directory.path()) == 0 {
            tokio::task::yield_now().await;
        }
    };
    let report = measure(&[&disk], under_way).await;
    assert_eq!(report.failures.len(), 1);
    assert_eq!(report.failures[0].workload, "run");
    assert_eq!(entries(directory.path()), 0);
}
