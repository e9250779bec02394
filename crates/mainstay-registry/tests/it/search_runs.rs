//! Searches for runs, in MLflow's filter language and ours.

use std::time::Duration;

use mainstay_core::{Clock as _, ErrorKind, NodeRef};
use mainstay_registry::run::{Point, RunEnd, RunLog, RunSpec, RunStatus};
use mainstay_registry::search::{Page, RunPage, RunQuery};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{Fixture, ada, name, node, spec};

async fn start(fixture: &Fixture, mut spec: RunSpec) -> NodeRef {
    fixture.clock.advance(Duration::from_mins(1));
    spec.started = fixture.now();
    fixture.runs().start(spec).await.unwrap().run
}

fn of(experiment: &str) -> RunSpec {
    RunSpec::new(
        name(experiment),
        "2026-01-01T00:00:00Z".parse().unwrap(),
        ada(),
        "test",
    )
}

async fn measured(fixture: &Fixture, run: &NodeRef, value: f64) {
    let point = Point::new(1, fixture.now(), value);
    let log = RunLog::new(run.clone(), ada(), "test").with_point("auc", point);
    fixture.runs().log(log).await.unwrap();
}

async fn ended(fixture: &Fixture, run: &NodeRef, status: RunStatus) {
    fixture.clock.advance(Duration::from_mins(1));
    let end = RunEnd::new(run.clone(), status, fixture.clock.now(), ada(), "test");
    fixture.runs().end(end).await.unwrap();
}

/// Three runs of two experiments, that began one after the other.
async fn shelf() -> Fixture {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:payments@3", json!({"rows": 1})).await;
    let good = of("churn")
        .with_parameter("depth", 6)
        .with_parameter("kind", "boosted")
        .with_seed("numpy", 42)
        .with_input(name("train"), data)
        .with_code(name("training"), name("9f31c2a"))
        .with_tag("team", "risk")
        .with_tag("mlflow.runName", "careful-crab")
        .with_tag("mlflow.user", "ann");
    let good = start(&fixture, good).await;
    measured(&fixture, &good, 0.5).await;
    measured(&fixture, &good, 0.95).await;
    ended(&fixture, &good, RunStatus::Finished).await;
    fixture
        .register(spec("churn", "weights").with_run(good))
        .await;
    let bad = start(&fixture, of("churn").with_parameter("depth", 4)).await;
    measured(&fixture, &bad, f64::NAN).await;
    ended(&fixture, &bad, RunStatus::Failed).await;
    start(&fixture, of("other").with_id(name("goes-on"))).await;
    fixture
}

fn ids(page: &RunPage) -> Vec<String> {
    page.results
        .iter()
        .map(|run| run.node.to_string())
        .collect()
}

async fn found(fixture: &Fixture, query: &str) -> Vec<String> {
    let page = fixture.runs().search(query, &Page::default()).await;
    ids(&page.unwrap_or_else(|error| panic!("{query}: {error}")))
}

#[tokio::test]
async fn a_search_for_runs_finds_what_it_says() {
    let fixture = shelf().await;
    let (good, bad, other) = ("run:churn@1", "run:churn@2", "run:other@goes-on");
    for (query, expected) in [
        ("", vec![other, bad, good]),
        ("attributes.status = 'FINISHED'", vec![good]),
        (
            "attribute.status IN ('FAILED', 'running')",
            vec![other, bad],
        ),
        ("metrics.auc > 0.9 and params.depth = '6'", vec![good]),
        ("metrics.auc = 'NaN'", vec![bad]),
        ("metrics.auc IS NULL", vec![other]),
        ("params.depth < 5", vec![bad]),
        ("tags.team = 'risk'", vec![good]),
        ("tags.mlflow.user = 'ann'", vec![good]),
        ("user_id = 'ann' AND run_name LIKE 'careful%'", vec![good]),
        ("run_id = '2'", vec![bad]),
        ("start_time > '2026-01-01T00:02:00Z'", vec![other, bad]),
        ("end_time IS NULL", vec![other]),
        ("ended < '2026-01-01T00:03:00Z'", vec![good]),
        ("name = 'churn' AND NOT status = 'failed'", vec![good]),
        ("experiment != 'churn'", vec![other]),
        ("seeds.numpy = '42'", vec![good]),
        ("dataset.train = 'data:payments@3'", vec![good]),
        ("datasets.name = 'payments'", vec![good]),
        (
            "data = 'data:payments@3' AND code = '9f31c2a' AND dirty = 'false'",
            vec![good],
        ),
        ("output = 'model:churn@1.0.0'", vec![good]),
        ("output IS NULL", vec![other, bad]),
        ("EXISTS DOWNSTREAM OF 'data:payments@3'", vec![good]),
        ("EXISTS UPSTREAM OF 'model:churn@1.0.0'", vec![good]),
        (
            "EXISTS UPSTREAM HAS data WHERE name = 'payments'",
            vec![good],
        ),
        (
            "ORDER BY metrics.auc DESC, start_time",
            vec![good, bad, other],
        ),
        ("ORDER BY attributes.start_time", vec![good, bad, other]),
        ("status = 'finished' AS OF 3", vec![]),
    ] {
        assert_eq!(found(&fixture, query).await, expected, "{query}");
        let count = fixture.runs().count(query).await.unwrap();
        assert_eq!(count, expected.len() as u64, "{query}");
        let printed = RunQuery::parse(query).unwrap();
        assert_eq!(
            RunQuery::parse(&printed.to_string()).unwrap(),
            printed,
            "{query}"
        );
    }
}

#[tokio::test]
async fn models_are_found_by_what_is_known_of_their_runs() {
    let fixture = shelf().await;
    for (query, count) in [
        (
            "EXISTS UPSTREAM HAS run WHERE status = 'finished' AND metrics.auc > 0.9",
            1,
        ),
        ("EXISTS UPSTREAM HAS run WHERE params.depth = 4", 0),
        (
            "EXISTS UPSTREAM HAS run WHERE name = 'churn' AND version = '1'",
            1,
        ),
    ] {
        assert_eq!(
            fixture.registry.count(query).await.unwrap(),
            count,
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_a_run_has_not_is_refused_at_its_column() {
    for (query, column) in [
        ("stage = 'production'", 1),
        ("metrics.auc > 1 AND alias = 'x'", 21),
        ("gate.auc = 'pass'", 1),
        ("ORDER BY output", 10),
        ("start_time = 'then'", 14),
    ] {
        let error = RunQuery::parse(query).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{query}");
        assert!(
            error.to_string().contains(&format!("column: {column}")),
            "{query}: {error}"
        );
    }
    // The pages of runs are not those of models.
    let fixture = shelf().await;
    let one = Page::default().with_limit(1);
    let next = fixture.runs().search("", &one).await.unwrap().next.unwrap();
    let page = one.with_after(next);
    assert!(fixture.runs().search("", &page).await.is_ok());
    let error = fixture.registry.search("", &page).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[derive(Debug, Clone)]
enum Write {
    Start,
    Measure(u8, u8),
    End(u8),
    Tag(u8, u8),
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let write = prop_oneof![
        Just(Write::Start),
        (1_u8..7, any::<u8>()).prop_map(|(run, value)| Write::Measure(run, value)),
        (1_u8..7).prop_map(Write::End),
        (1_u8..7, any::<u8>()).prop_map(|(run, tag)| Write::Tag(run, tag)),
    ];
    prop::collection::vec(write, 0..3)
}

async fn wrote(fixture: &Fixture, write: &Write) {
    let (Write::Measure(number, _) | Write::End(number) | Write::Tag(number, _)) = write else {
        drop(start(fixture, of("churn")).await);
        return;
    };
    let run = node(&format!("run:churn@{number}"));
    let log = RunLog::new(run.clone(), ada(), "test");
    // Nothing is added to a run that has ended.
    match write {
        Write::Measure(_, value) => {
            let point = Point::new(1, fixture.now(), f64::from(*value));
            drop(fixture.runs().log(log.with_point("auc", point)).await);
        }
        Write::Tag(_, tag) => {
            drop(fixture.runs().log(log.with_tag("t", tag.to_string())).await);
        }
        _ => {
            let end = RunEnd::new(run, RunStatus::Killed, fixture.now(), ada(), "test");
            drop(fixture.runs().end(end).await);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn pages_of_runs_are_together_what_there_was_when_the_first_was_asked_for(
        writes in prop::collection::vec(writes(), 6),
        query in prop::sample::select(vec![
            "", "ORDER BY metrics.auc DESC", "ORDER BY status, tags.t", "status = 'running'", "tags.t IS NULL",
        ]),
        limit in 1_usize..3,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            for number in 0..6_u8 {
                let run = start(&fixture, of("churn")).await;
                measured(&fixture, &run, f64::from(number % 3)).await;
            }
            let all = fixture.runs().search(query, &Page::default()).await.unwrap();
            let mut found = Vec::new();
            let mut page = Page::default().with_limit(limit);
            for writes in writes.iter().chain(std::iter::repeat(&Vec::new())) {
                let next = fixture.runs().search(query, &page).await.unwrap();
                found.extend(next.results);
                for write in writes {
                    wrote(&fixture, write).await;
                }
                match next.next {
                    Some(next) => page = page.with_after(next),
                    None => break,
                }
            }
            assert_eq!(found, all.results);
        });
    }
}
