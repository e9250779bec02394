//! Runs that are recorded when they are over.

use mainstay_core::{ErrorKind, Timestamp};
use mainstay_registry::run::{PastRun, Point, RunSpec, RunStatus};
use proptest::prelude::*;

use crate::fixture::{Fixture, ada, file, locator, name, node};

fn begin() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn past(id: &str) -> PastRun {
    let spec = RunSpec::new(name("churn"), begin(), ada(), "import").with_id(name(id));
    PastRun::new(spec, RunStatus::Finished, begin())
}

#[tokio::test]
async fn a_past_run_is_one_entry_whatever_its_length() {
    let fixture = Fixture::new().await;
    let points = |count: i64| (0..count).map(|step| Point::new(step, begin(), 0.5));
    let run = past("long")
        .with_points("loss", points(250_001))
        .with_points("none", [])
        .with_points("auc", points(3))
        .with_files([file("b.txt", "b"), file("a.txt", "a")]);
    fixture.runs().record(run.clone()).await.unwrap();
    let view = fixture.repo.view().await.unwrap();
    assert_eq!(view.seq(), 1);
    let info = fixture.runs().show(&locator("churn@long")).await.unwrap();
    assert_eq!(
        (info.metrics["loss"].points, info.metrics["auc"].points),
        (250_001, 3)
    );
    assert_eq!(info.metrics.len(), 2);
    let paths: Vec<&str> = info.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.txt", "b.txt"]);
    let run_node = node("run:churn@long");
    let last = fixture
        .runs()
        .series(&view, &run_node, "loss", 249_990..)
        .await
        .unwrap();
    assert_eq!(last.len(), 11);
    let again = fixture.runs().record(run).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn what_cannot_have_been_is_refused() {
    let fixture = Fixture::new().await;
    let mut going_on = past("a");
    going_on.status = RunStatus::Running;
    let mut backwards = past("a");
    backwards.ended = Timestamp::UNIX_EPOCH;
    let clashing = past("a").with_files([file("a", "1"), file("a/b", "2")]);
    let mut numbered = past("a");
    numbered.spec.id = Some(name("7"));
    let far = past("a").with_points("loss", [Point::new(i64::MAX, begin(), 0.5)]);
    for bad in [going_on, backwards, clashing, numbered, far] {
        let error = fixture.runs().record(bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let mut unknown = past("a");
    let input = (name("train"), node("data:nobody@1"));
    unknown.spec.inputs.insert(input);
    let error = fixture.runs().record(unknown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(fixture.repo.view().await.unwrap().seq(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Recorded at once or logged bit by bit, a series reads the same.
    #[test]
    fn series_read_back_as_they_were(
        series in proptest::collection::btree_map("[a-c]{1,2}", proptest::collection::vec((-9_i64..9, 0_i64..9), 0..400), 0..5)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            let mut run = past("some");
            for (key, points) in &series {
                let points = points.iter().map(|(step, second)| {
                    Point::new(*step, Timestamp::from_unix_micros(*second), 0.5)
                });
                run = run.with_points(key.clone(), points);
            }
            fixture.runs().record(run).await.unwrap();
            let view = fixture.repo.view().await.unwrap();
            for (key, points) in series {
                let mut points = points;
                points.sort_unstable();
                let read = fixture.runs().series(&view, &node("run:churn@some"), &key, ..).await.unwrap();
                let read: Vec<_> = read.iter().map(|p| (p.step, p.time.as_unix_micros())).collect();
                assert_eq!(read, points);
            }
        });
    }
}
