//! Runs: what they take while they go on, and that it is read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::{EdgeKind, ErrorKind, NodeRef, Timestamp};
use mainstay_registry::Relation;
use mainstay_registry::run::{Point, RunEnd, RunInfo, RunLog, RunSpec, RunStatus, Runs};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::fault::{Applied, FaultStorage};
use mainstay_store::{MemoryStorage, NoWait, Storage};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{Fixture, ada, file, locator, name, node};

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_micros(1_767_225_600_000_000 + second * 1_000_000)
}

fn spec() -> RunSpec {
    RunSpec::new(name("churn"), at(0), ada(), "start")
}

fn log(run: &NodeRef) -> RunLog {
    RunLog::new(run.clone(), ada(), "log")
}

fn end(run: &NodeRef, status: RunStatus) -> RunEnd {
    RunEnd::new(run.clone(), status, at(60), ada(), "end")
}

async fn series(fixture: &Fixture, run: &NodeRef, key: &str) -> Vec<Point> {
    let view = fixture.repo.view().await.unwrap();
    fixture.runs().series(&view, run, key, ..).await.unwrap()
}

#[tokio::test]
async fn files_are_added_and_replaced_while_the_run_goes_on() {
    let fixture = Fixture::new().await;
    let runs = fixture.runs();
    let run = runs.start(spec()).await.unwrap().run;
    let first = log(&run).with_files([file("a.txt", "1"), file("plots/b.svg", "2")]);
    assert_eq!(runs.log(first.clone()).await.unwrap().seq, Some(2));
    assert_eq!(runs.log(first).await.unwrap().seq, None);
    let second = log(&run).with_files([file("a.txt", "one"), file("c", "3")]);
    runs.log(second).await.unwrap();
    let sizes = |info: RunInfo| -> Vec<(String, u64)> {
        let files = info.files.iter();
        files
            .map(|file| (file.path.to_string(), file.bytes))
            .collect()
    };
    let expected = [("a.txt", 3), ("c", 1), ("plots/b.svg", 1)];
    let expected = expected.map(|(path, bytes)| (path.to_owned(), bytes));
    assert_eq!(
        sizes(runs.show(&locator("churn@1")).await.unwrap()),
        expected
    );

    let clash = log(&run).with_files([file("plots", "4")]);
    let error = runs.log(clash).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    runs.end(end(&run, RunStatus::Finished)).await.unwrap();
    let late = log(&run).with_files([file("late", "5")]);
    let error = runs.log(late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        sizes(runs.show(&locator("churn@1")).await.unwrap()),
        expected
    );
}

#[tokio::test]
async fn what_a_run_states_is_recorded_and_linked() {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:churn@1", json!({"rows": 3})).await;
    let held_out = fixture.record("data:churn@2", json!({"rows": 1})).await;
    let env = fixture.record("env:lab@1", json!({"os": "linux"})).await;
    let base = fixture.weights("base", "parent").await.node;
    let runs = fixture.runs();
    let spec = spec()
        .with_parameter("rate", 0.1)
        .with_seed("numpy", u64::MAX)
        .with_code(name("training"), name("9f31c2a"))
        .with_dirty_code()
        .with_environment(env)
        .with_input(name("train"), data)
        .with_tag("team", "risk")
        .with_description("first try");
    let run = runs.start(spec).await.unwrap().run;
    let more = log(&run)
        .with_parameter("rate", 0.1)
        .with_parameter("depth", 6)
        .with_input(name("validation"), held_out)
        .with_input(name("base"), base)
        .with_tag("team", "growth")
        .with_tag("host", "gpu-3");
    runs.log(more).await.unwrap();
    runs.log(log(&run).without_tag("host")).await.unwrap();
    runs.end(end(&run, RunStatus::Finished)).await.unwrap();

    let info = runs.show(&locator("churn@1")).await.unwrap();
    assert_eq!(info.node, run);
    let record = &info.record;
    assert_eq!(
        record.parameters,
        BTreeMap::from([
            ("depth".to_owned(), json!(6)),
            ("rate".to_owned(), json!(0.1)),
        ])
    );
    assert_eq!(record.seeds["numpy"], u64::MAX);
    assert!(record.code.as_ref().unwrap().dirty);
    assert_eq!(
        record.tags,
        BTreeMap::from([("team".to_owned(), "growth".to_owned())])
    );
    assert_eq!(
        (record.status, record.ended),
        (RunStatus::Finished, Some(at(60)))
    );

    let view = fixture.repo.view().await.unwrap();
    let value = view
        .get(&run.ref_path())
        .unwrap()
        .unwrap()
        .value
        .clone()
        .unwrap();
    assert!(value.edges.iter().all(|edge| edge.kind == EdgeKind::Used));
    let mut edges: Vec<_> = value.edges.iter().map(|edge| edge.to.to_string()).collect();
    edges.sort();
    assert_eq!(
        edges,
        [
            "code:training@9f31c2a",
            "data:churn@1",
            "data:churn@2",
            "env:lab@1",
            "model:base@1.0.0"
        ]
    );
    assert_eq!(info.digest, value.record_digest().unwrap());
}

#[tokio::test]
async fn numbers_are_given_in_turn_and_ids_are_used_once() {
    let fixture = Fixture::new().await;
    let runs = fixture.runs();
    for number in 1..=70 {
        let started = runs.start(spec()).await.unwrap();
        assert_eq!(started.run.to_string(), format!("run:churn@{number}"));
    }
    let named = |id: &str| spec().with_id(name(id));
    for (id, kind) in [("latest", ErrorKind::Invalid), ("71", ErrorKind::Invalid)] {
        assert_eq!(
            runs.start(named(id)).await.unwrap_err().kind(),
            kind,
            "{id}"
        );
    }
    assert_eq!(
        runs.start(named("ab12")).await.unwrap().run,
        node("run:churn@ab12")
    );
    let again = runs.start(named("ab12")).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert_eq!(runs.start(spec()).await.unwrap().run, node("run:churn@71"));
}

#[tokio::test]
async fn the_latest_is_the_one_that_began_last_whenever_it_was_recorded() {
    let fixture = Fixture::new().await;
    let runs = fixture.runs();
    for (id, second) in [("b", 5), ("c", 9), ("a", 7)] {
        let spec = RunSpec::new(name("churn"), at(second), ada(), "imported").with_id(name(id));
        runs.start(spec).await.unwrap();
    }
    assert_eq!(
        runs.show(&locator("run:churn")).await.unwrap().node,
        node("run:churn@c")
    );
    let listed = runs.list(Some(&name("churn"))).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|run| run.record.id.as_str()).collect();
    assert_eq!(ids, ["b", "a", "c"]);
    assert_eq!(runs.list(None).await.unwrap().len(), 3);
    let missing = runs.show(&locator("run:other")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_run_that_ended_takes_nothing_more() {
    let fixture = Fixture::new().await;
    let runs = fixture.runs();
    let run = runs.start(spec()).await.unwrap().run;
    let before = RunEnd::new(run.clone(), RunStatus::Failed, at(-1), ada(), "end");
    assert_eq!(
        runs.end(before).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(
        runs.end(end(&run, RunStatus::Running))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Invalid
    );
    assert!(
        runs.end(end(&run, RunStatus::Killed))
            .await
            .unwrap()
            .seq
            .is_some()
    );
    assert_eq!(
        runs.end(end(&run, RunStatus::Killed)).await.unwrap().seq,
        None
    );
    let other = runs.end(end(&run, RunStatus::Finished)).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Conflict);
    for late in [
        log(&run).with_point("loss", Point::new(1, at(1), 0.5)),
        log(&run).with_tag("late", "yes"),
    ] {
        assert_eq!(
            runs.log(late).await.unwrap_err().kind(),
            ErrorKind::Conflict
        );
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_changes_nothing() {
    let fixture = Fixture::new().await;
    let runs = fixture.runs();
    let run = runs
        .start(spec().with_parameter("rate", 0.1))
        .await
        .unwrap()
        .run;
    let seq = fixture.repo.view().await.unwrap().seq();
    let point = Point::new(0, at(0), 1.0);
    for (bad, kind) in [
        (
            log(&run).with_parameter("rate", 0.2),
            ErrorKind::AlreadyExists,
        ),
        (
            log(&run).with_parameter("list", json!([1])),
            ErrorKind::Invalid,
        ),
        (log(&run).with_point("", point), ErrorKind::Invalid),
        (
            log(&run).with_tag("k", "v".repeat(100_001)),
            ErrorKind::Invalid,
        ),
        (
            log(&run).with_input(name("train"), node("data:none@1")),
            ErrorKind::NotFound,
        ),
        (
            log(&run).with_input(name("train"), node("env:lab@1")),
            ErrorKind::Invalid,
        ),
        (
            log(&node("run:churn@9")).with_point("loss", point),
            ErrorKind::NotFound,
        ),
        (
            log(&node("model:churn@1")).with_point("loss", point),
            ErrorKind::Invalid,
        ),
    ] {
        let bad = bad.with_point("loss", point);
        assert_eq!(
            runs.log(bad.clone()).await.unwrap_err().kind(),
            kind,
            "{bad:?}"
        );
    }
    let mut crowd = log(&run);
    for key in 0..10_000 {
        crowd = crowd.with_tag(format!("tag-{key}"), "x");
    }
    assert_eq!(
        runs.log(crowd).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(runs.log(log(&run)).await.unwrap().seq, None);
    assert_eq!(fixture.repo.view().await.unwrap().seq(), seq);
}

#[tokio::test]
async fn a_run_cannot_use_what_it_made() {
    let fixture = Fixture::new().await;
    let runs = fixture.runs();
    let run = runs.start(spec()).await.unwrap().run;
    let other = RunSpec::new(name("eval"), at(1), ada(), "start");
    let other = runs.start(other).await.unwrap().run;
    // As another program may record it: a dataset that the run made, and a model made from that.
    let made = fixture.made_by("data:predictions@1", &run).await;
    runs.log(log(&other).with_input(name("input"), made.clone()))
        .await
        .unwrap();
    let model = fixture
        .register(crate::fixture::spec("student", "weights").with_data(name("train"), made.clone()))
        .await
        .node;
    let grandchild = fixture
        .register(
            crate::fixture::spec("small", "bits").with_parent(model.clone(), Relation::Quantize),
        )
        .await
        .node;
    for input in [made, model, grandchild] {
        let error = runs
            .log(log(&run).with_input(name("x"), input))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("made"), "{error}");
    }
}

#[tokio::test]
async fn points_that_are_not_finite_are_themselves() {
    let fixture = Fixture::new().await;
    let runs = fixture.runs();
    let run = runs.start(spec()).await.unwrap().run;
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, 0.1];
    let points = (0..)
        .zip(values)
        .map(|(step, value)| Point::new(step, at(step), value));
    let points: Vec<Point> = points.collect();
    runs.log(log(&run).with_points("loss", points.clone()))
        .await
        .unwrap();
    runs.end(end(&run, RunStatus::Finished)).await.unwrap();
    assert_eq!(series(&fixture, &run, "loss").await, points);
    assert_eq!(
        serde_json::to_value(points[1]).unwrap()["value"],
        "Infinity"
    );
}

#[tokio::test]
async fn many_small_batches_leave_few_refs_and_one_log_entry_each() {
    let fixture = Fixture::new().await;
    let runs = fixture.runs();
    let run = runs.start(spec()).await.unwrap().run;
    let before = fixture.repo.view().await.unwrap().seq();
    for step in 0..1_000 {
        let point = Point::new(step, at(step), 0.5);
        runs.log(log(&run).with_point("loss", point)).await.unwrap();
    }
    let view = fixture.repo.view().await.unwrap();
    assert_eq!(view.seq() - before, 1_000);
    assert_eq!(view.below("run/churn/segment/1").unwrap().count(), 15);
    assert_eq!(
        view.below("run/churn/recent/1").unwrap().count(),
        1_000 - 15 * 65
    );
    assert_eq!(view.states_below("run/churn/recent/1").unwrap().count(), 64);
    assert_eq!(series(&fixture, &run, "loss").await.len(), 1_000);
    let some = fixture
        .runs()
        .series(&view, &run, "loss", 100..=900)
        .await
        .unwrap();
    assert_eq!((some.len(), some[0].step, some[800].step), (801, 100, 900));
    runs.end(end(&run, RunStatus::Finished)).await.unwrap();
    let view = fixture.repo.view().await.unwrap();
    assert_eq!(view.below("run/churn/recent/1").unwrap().count(), 0);
    let info = runs.show(&locator("run:churn@1")).await.unwrap();
    let loss = info.metrics["loss"];
    assert_eq!(
        (loss.points, loss.first_step, loss.last_step),
        (1_000, 0, 999)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_of_one_run_log_side_by_side() {
    let fixture = Fixture::new().await;
    let run = fixture.runs().start(spec()).await.unwrap().run;
    let workers = (0..8_i64).map(|worker| {
        let (runs, run) = (fixture.runs(), run.clone());
        tokio::spawn(async move {
            for step in 0..40 {
                let point = Point::new(step * 8 + worker, at(step), 1.0);
                runs.log(log(&run).with_point("loss", point)).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let steps: Vec<i64> = series(&fixture, &run, "loss")
        .await
        .iter()
        .map(|p| p.step)
        .collect();
    assert_eq!(steps, (0..320).collect::<Vec<_>>());
}

/// One thing done to a run: batches of points of two series, small or large.
#[derive(Debug, Clone)]
struct Batch(Vec<(bool, i64, i64, f64)>);

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let point = (any::<bool>(), -20..20_i64, 0..9_i64, -1.0..1.0_f64);
    let batch = prop_oneof![
        9 => proptest::collection::vec(point.clone(), 0..4),
        1 => proptest::collection::vec(point, 400..600),
    ];
    proptest::collection::vec(batch.prop_map(Batch), 1..90)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MAINSTAY_LONG").is_some() { 500 } else { 8 }))]

    #[test]
    fn series_are_what_a_list_of_points_would_be(batches in batches(), from in -25..25_i64, len in 0..30_i64) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            let runs = fixture.runs();
            let run = runs.start(spec()).await.unwrap().run;
            let mut model: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
            for Batch(points) in &batches {
                let mut batch = log(&run);
                for (other, step, second, value) in points {
                    let key = if *other { "auc" } else { "loss" };
                    let point = Point::new(*step, at(*second), *value);
                    batch = batch.with_point(key, point);
                    model.entry(key).or_default().push(point);
                }
                runs.log(batch).await.unwrap();
            }
            for ended in [false, true] {
                if ended {
                    runs.end(end(&run, RunStatus::Finished)).await.unwrap();
                }
                let view = fixture.repo.view().await.unwrap();
                let info = runs.show(&locator("run:churn")).await.unwrap();
                assert_eq!(info.metrics.len(), model.len());
                for (key, points) in &mut model {
                    points.sort_by_key(|point| (point.step, point.time));
                    let steps = from..from + len;
                    let expected: Vec<Point> =
                        points.iter().copied().filter(|p| steps.contains(&p.step)).collect();
                    assert_eq!(runs.series(&view, &run, key, steps).await.unwrap(), expected);
                    assert_eq!(&runs.series(&view, &run, key, ..).await.unwrap(), points);
                    let summary = info.metrics[*key];
                    assert_eq!(summary.points, points.len() as u64);
                    assert_eq!(Some(&summary.latest), points.last());
                }
            }
        });
    }
}

fn options() -> RepoOptions {
    RepoOptions::default().with_timer(Arc::new(NoWait::default()))
}

/// Logs past a segment and ends the run; stops at the first error. Tells what was acknowledged.
async fn work(storage: Arc<dyn Storage>) -> (i64, bool) {
    let mut acknowledged = 0;
    let Ok(repo) = Repo::create(storage, options()).await else {
        return (acknowledged, false);
    };
    let runs = Runs::new(repo);
    let Ok(started) = runs.start(spec()).await else {
        return (acknowledged, false);
    };
    for step in 0..66 {
        let batch = log(&started.run).with_point("loss", Point::new(step, at(step), 0.5));
        if runs.log(batch).await.is_err() {
            return (acknowledged, false);
        }
        acknowledged = step + 1;
    }
    let ended = runs
        .end(end(&started.run, RunStatus::Finished))
        .await
        .is_ok();
    (acknowledged, ended)
}

#[tokio::test]
async fn a_crash_at_any_operation_loses_no_point_and_repeats_none() {
    let whole = Arc::new(FaultStorage::new(MemoryStorage::new()));
    assert_eq!(
        work(Arc::<FaultStorage<_>>::clone(&whole) as _).await,
        (66, true)
    );
    let operations = whole.operations();
    // Every operation where a segment is made and the run ends; some of the others.
    for operation in (0..operations).filter(|at| at % 100 == 0 || operations - at < 16) {
        for applied in [Applied::Yes, Applied::No] {
            let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
            storage.crash_at(operation, applied);
            let (acknowledged, ended) = work(Arc::<FaultStorage<_>>::clone(&storage) as _).await;
            storage.revive();
            let Ok(repo) = Repo::open(storage, options()).await else {
                assert_eq!(acknowledged, 0);
                continue;
            };
            let runs = Runs::new(repo.clone());
            let Ok(info) = runs.show(&locator("run:churn@1")).await else {
                assert_eq!(acknowledged, 0);
                continue;
            };
            let view = repo.view().await.unwrap();
            let points = runs.series(&view, &info.node, "loss", ..).await.unwrap();
            let steps: Vec<i64> = points.iter().map(|point| point.step).collect();
            let held = i64::try_from(steps.len()).unwrap();
            assert!(
                (acknowledged..=acknowledged + 1).contains(&held),
                "at {operation}"
            );
            assert_eq!(steps, (0..held).collect::<Vec<_>>());
            assert!(!ended || info.record.status == RunStatus::Finished);
        }
    }
}
