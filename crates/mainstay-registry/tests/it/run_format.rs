//! What is stored of runs is what `docs/formats/run.md` says, forever.

use std::path::PathBuf;

use mainstay_core::{ErrorKind, Timestamp, canon};
use mainstay_registry::run::{PastRun, Point, Run, RunEnd, RunLog, RunSpec, RunStatus};
use mainstay_repo::{Expectation, Transaction, Value};
use serde_json::json;

use crate::fixture::{Fixture, ada, check_golden, file, locator, name};

/// The refs that are recorded, and their files.
const RECORDED: [(&str, &str); 6] = [
    ("run/churn/version/1", "running.json"),
    ("run/churn/recent/1/0", "points.json"),
    ("run/churn/version/f00d", "finished.json"),
    ("run/churn/segment/f00d/1", "segment.json"),
    ("run/churn/version/beef", "past.json"),
    ("run/churn/files/beef", "files.json"),
];

fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/run/v1")
        .join(file)
}

fn check(bytes: &[u8], file: &str) {
    check_golden(bytes, &format!("run/v1/{file}"));
}

/// A run that goes on, and one that ended with a segment.
async fn example() -> Fixture {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:churn@1", json!({"rows": 344})).await;
    let env = fixture.record("env:lab@1", json!({"os": "linux"})).await;
    let begin: Timestamp = "2026-01-01T00:00:00.25Z".parse().unwrap();
    let runs = fixture.runs();
    let spec = RunSpec::new(name("churn"), begin, ada(), "start");
    let full = spec
        .clone()
        .with_id(name("f00d"))
        .with_parameter("rate", 0.1)
        .with_parameter("solver", "lbfgs")
        .with_seed("numpy", u64::MAX)
        .with_code(name("training"), name("9f31c2a"))
        .with_dirty_code()
        .with_environment(env)
        .with_input(name("train"), data)
        .with_tag("team", "risk")
        .with_description("second try");
    for spec in [spec, full] {
        let run = runs.start(spec).await.unwrap().run;
        let points = [
            Point::new(0, begin, 0.5),
            Point::new(1, begin, f64::NAN),
            Point::new(2, begin, 1e17),
        ];
        let log = RunLog::new(run.clone(), ada(), "log");
        runs.log(log.clone().with_points("loss", points))
            .await
            .unwrap();
        if run.version().as_str() == "f00d" {
            let last = Point::new(-3, begin, f64::NEG_INFINITY);
            runs.log(log.with_point("loss", last)).await.unwrap();
            let end = RunEnd::new(run, RunStatus::Failed, begin, ada(), "diverged");
            runs.end(end).await.unwrap();
        }
    }
    let past = RunSpec::new(name("churn"), begin, ada(), "import").with_id(name("beef"));
    let past = PastRun::new(past, RunStatus::Killed, begin)
        .with_files([file("report.md", "fine"), file("plots/loss.json", "{}")]);
    runs.record(past).await.unwrap();
    fixture
}

#[tokio::test]
async fn every_record_of_a_run_is_stored_as_the_first_release_stored_it() {
    let fixture = example().await;
    let view = fixture.repo.view().await.unwrap();
    for (path, file) in RECORDED {
        let state = view.get(&path.parse().unwrap()).unwrap().unwrap();
        let value = state.value.as_ref().unwrap();
        check(&canon::to_vec(value).unwrap(), file);
        if let [digest] = value.blobs[..] {
            let blob = fixture.repo.blob(&digest).await.unwrap().unwrap();
            check(&blob.bytes().await.unwrap(), "blob.json");
        }
    }
}

#[tokio::test]
async fn recorded_runs_are_read() {
    let fixture = Fixture::new().await;
    let mut session = fixture.repo.ingest();
    let blob = std::fs::read_to_string(golden("blob.json")).unwrap();
    for blob in [blob.trim_end(), "fine", "{}"] {
        session.bytes(blob.to_owned().into()).await.unwrap();
    }
    session.finish().await.unwrap();
    let mut transaction = Transaction::new(ada(), "recorded");
    for (path, file) in RECORDED {
        let value: Value = serde_json::from_slice(&std::fs::read(golden(file)).unwrap()).unwrap();
        transaction.set(path.parse().unwrap(), value, Expectation::Absent);
    }
    fixture.commit(transaction).await;
    let info = fixture.runs().show(&locator("churn@f00d")).await.unwrap();
    assert_eq!(info.record.status, RunStatus::Failed);
    let view = fixture.repo.view().await.unwrap();
    for (run, count) in [("run:churn@1", 3), ("run:churn@f00d", 4)] {
        let run = run.parse().unwrap();
        let points = fixture
            .runs()
            .series(&view, &run, "loss", ..)
            .await
            .unwrap();
        assert_eq!(points.len(), count);
    }
}

#[tokio::test]
async fn a_newer_run_is_refused_and_damage_is_corrupt() {
    let fixture = example().await;
    let view = fixture.repo.view().await.unwrap();
    for (path, _) in RECORDED {
        let path = path.parse().unwrap();
        let value = view.get(&path).unwrap().unwrap().value.clone().unwrap();
        let (mut newer, mut extra, mut kind) = (value.clone(), value.clone(), value.clone());
        newer.record["format"] = json!(2);
        extra.record["extra"] = json!(1);
        kind.kind = "note".into();
        for (bad, expected) in [
            (newer, ErrorKind::Incompatible),
            (extra, ErrorKind::Corrupt),
            (kind, ErrorKind::Corrupt),
        ] {
            if path.as_str().contains("version") {
                assert_eq!(Run::from_value(&bad).unwrap_err().kind(), expected);
            }
            let mut transaction = Transaction::new(ada(), "another program");
            transaction.set(path.clone(), bad, Expectation::Any);
            fixture.commit(transaction).await;
            let error = fixture.runs().list(None).await.unwrap_err();
            assert_eq!(error.kind(), expected, "{path}");
        }
        let mut transaction = Transaction::new(ada(), "repaired");
        transaction.set(path, value, Expectation::Any);
        fixture.commit(transaction).await;
    }
}
