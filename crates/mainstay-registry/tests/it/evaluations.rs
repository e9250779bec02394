//! Evaluation reports.

use std::collections::BTreeSet;

use mainstay_core::{EdgeKind, ErrorKind, Timestamp};
use mainstay_registry::eval::{self, EvalSpec, Evaluations};
use mainstay_registry::run::RunSpec;
use mainstay_registry::search::Page;
use mainstay_registry::{Better, Gate, Metric, PromoteSpec, Promotion, StagePolicy};
use serde_json::json;

use crate::fixture::{Fixture, ada, check_golden_ref, locator, name, node, spec, without_author};

fn report(subject: &str) -> EvalSpec {
    EvalSpec::new(name("holdout"), node(subject), ada(), "check")
}

#[tokio::test]
async fn a_report_is_linked_and_found_from_the_version() {
    let fixture = Fixture::new().await;
    let evaluations = Evaluations::new(fixture.repo.clone());
    let data = fixture.record("data:holdout@1", json!({"rows": 9})).await;
    let run = RunSpec::new(name("eval"), Timestamp::UNIX_EPOCH, ada(), "evaluate");
    let run = fixture.runs().start(run).await.unwrap().run;
    fixture
        .register(spec("fraud", "one").with_metric("auc", 0.9))
        .await;
    without_author(&fixture, "model/fraud/version/1.0.0").await;
    let full = report("model:fraud@1.0.0")
        .with_data(data)
        .with_run(run)
        .with_code(name("evals"), name("77aa"))
        .with_metric("auc", 0.8)
        .with_metric("loss", f64::NAN)
        .with_slice_metric("country=de", "auc", 0.7)
        .with_tag("by", "risk")
        .with_description("monthly");
    let first = evaluations.report(full).await.unwrap();
    let entry = "model/fraud/report/1.0.0/holdout/1";
    for (path, file) in [("eval/holdout/version/1", "report"), (entry, "entry")] {
        check_golden_ref(&fixture, path, &format!("evaluation/v1/{file}.json")).await;
    }
    let second = report("model:fraud@1.0.0").with_metric("auc", 0.85);
    evaluations.report(second).await.unwrap();

    let info = evaluations.show(&locator("eval:holdout@1")).await.unwrap();
    assert_eq!(info.record.slices["country=de"]["auc"], Metric::new(0.7));
    let view = fixture.repo.view().await.unwrap();
    let value = view
        .get(&first.eval.ref_path())
        .unwrap()
        .unwrap()
        .value
        .clone()
        .unwrap();
    let mut edges: Vec<_> = value
        .edges
        .iter()
        .map(|edge| (edge.kind, edge.to.to_string()))
        .collect();
    edges.sort();
    assert_eq!(
        edges,
        [
            (EdgeKind::Used, "code:evals@77aa".to_owned()),
            (EdgeKind::Used, "model:fraud@1.0.0".to_owned()),
            (EdgeKind::GeneratedBy, "run:eval@1".to_owned()),
            (EdgeKind::EvaluatedOn, "data:holdout@1".to_owned()),
        ]
    );
    assert!(
        value
            .edges
            .iter()
            .all(|edge| edge.kind.joins(first.eval.kind(), edge.to.kind()))
    );
    let reports = eval::reports(&view, &node("model:fraud@1.0.0")).unwrap();
    let numbers: Vec<_> = reports.iter().map(|report| report.record.number).collect();
    assert_eq!(numbers, [1, 2]);
    let shown = fixture.registry.show(&locator("fraud")).await.unwrap();
    assert_eq!(shown.metrics["auc"], Metric::new(0.85));
    assert!(shown.metrics["loss"].value().is_nan());
    assert_eq!(shown.record.metrics["auc"].value, Metric::new(0.9));
}

#[tokio::test]
async fn gates_see_reports_and_the_newest_word_counts() {
    let fixture = Fixture::new().await;
    let evaluations = Evaluations::new(fixture.repo.clone());
    fixture.weights("fraud", "one").await;
    let gate = Gate::NotWorse {
        metric: "auc".into(),
        better: Better::Higher,
        tolerance: 0.0,
    };
    let at_least = Gate::AtLeast {
        metric: "auc".into(),
        limit: 0.8,
    };
    let policy = StagePolicy::default()
        .with_gate(name("staging"), at_least)
        .with_gate(name("production"), gate);
    let registry = &fixture.registry;
    let (model, roles) = (name("fraud"), BTreeSet::new());
    let set = registry.set_stage_policy(&model, policy, ada(), &roles, "careful");
    set.await.unwrap();
    let promote = |to: &str| {
        let spec = PromoteSpec::new(locator("fraud@1.0.0"), name(to), ada(), "promote");
        fixture.registry.promote(spec)
    };
    assert!(matches!(
        promote("staging").await.unwrap(),
        Promotion::Refused(_)
    ));
    let good = report("model:fraud@1.0.0").with_metric("auc", 0.9);
    evaluations.report(good).await.unwrap();
    assert!(matches!(
        promote("staging").await.unwrap(),
        Promotion::Promoted(_)
    ));
    let worse = report("model:fraud@1.0.0").with_metric("auc", 0.7);
    evaluations.report(worse).await.unwrap();
    let shown = fixture.registry.show(&locator("fraud")).await.unwrap();
    assert_eq!(shown.metrics["auc"], Metric::new(0.7));
}

#[tokio::test]
async fn a_search_sees_the_newest_value_as_the_version_shows_it() {
    let fixture = Fixture::new().await;
    let evaluations = Evaluations::new(fixture.repo.clone());
    fixture
        .register(spec("fraud", "one").with_metric("auc", 0.9))
        .await;
    fixture
        .register(spec("fraud", "two").with_metric("auc", 0.8))
        .await;
    let found = async |query: &str| {
        let found = fixture.registry.search(query, &Page::default()).await;
        let results = found.unwrap().results;
        for hit in &results {
            let reference = format!("{}@{}", hit.model, hit.version);
            let shown = fixture.registry.show(&locator(&reference)).await.unwrap();
            assert_eq!(shown.metrics, hit.metrics, "{query}");
        }
        let versions = results.iter().map(|hit| hit.version.to_string());
        versions.collect::<Vec<_>>()
    };
    assert_eq!(found("metrics.auc > 0.85").await, ["1.0.0"]);
    let metric = |subject: &str, name: &str, value: f64| {
        evaluations.report(report(subject).with_metric(name, value))
    };
    metric("model:fraud@1.0.0", "auc", 0.7).await.unwrap();
    metric("model:fraud@1.0.0", "loss", 0.2).await.unwrap();
    metric("model:fraud@1.1.0", "auc", 0.95).await.unwrap();
    assert_eq!(found("metrics.auc > 0.85").await, ["1.1.0"]);
    assert_eq!(found("metrics.loss < 0.5").await, ["1.0.0"]);
    assert_eq!(found("ORDER BY metrics.auc").await, ["1.0.0", "1.1.0"]);
    // What a promotion measured lies over what was reported before it, and under what comes after.
    let promote = PromoteSpec::new(locator("fraud@1.0.0"), name("staging"), ada(), "promote");
    let promote = promote.with_metric("auc", 0.88);
    fixture.registry.promote(promote).await.unwrap();
    assert_eq!(found("metrics.auc = 0.88").await, ["1.0.0"]);
    metric("model:fraud@1.0.0", "auc", 0.6).await.unwrap();
    assert_eq!(found("metrics.auc = 0.6").await, ["1.0.0"]);
    assert_eq!(found("metrics.auc = 0.88").await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_there_or_not_measured_is_refused() {
    let fixture = Fixture::new().await;
    let evaluations = Evaluations::new(fixture.repo.clone());
    fixture.weights("fraud", "one").await;
    for (bad, kind) in [
        (report("model:fraud@1.0.0"), ErrorKind::Invalid),
        (
            report("model:fraud@2.0.0").with_metric("auc", 0.9),
            ErrorKind::NotFound,
        ),
        (
            report("data:fraud@1").with_metric("auc", 0.9),
            ErrorKind::Invalid,
        ),
        (
            report("model:fraud@1.0.0")
                .with_metric("auc", 0.9)
                .with_data(node("data:x@1")),
            ErrorKind::NotFound,
        ),
        (
            report("model:fraud@1.0.0").with_metric("", 0.9),
            ErrorKind::Invalid,
        ),
    ] {
        assert_eq!(
            evaluations.report(bad.clone()).await.unwrap_err().kind(),
            kind,
            "{bad:?}"
        );
    }
}

#[tokio::test]
async fn a_search_asks_what_one_evaluation_said_last() {
    let fixture = Fixture::new().await;
    let one = fixture.weights("one", "a").await.node;
    let two = fixture.weights("two", "b").await.node;
    let evaluations = Evaluations::new(fixture.repo.clone());
    for (evaluation, subject, metric, value) in [
        ("holdout", &one, "auc", 0.8),
        ("holdout", &one, "auc", 0.9),
        ("holdout", &two, "auc", f64::NAN),
        ("red-team", &two, "f1 score", 0.5),
        ("v1.2", &two, "auc", 0.7),
    ] {
        let spec = EvalSpec::new(name(evaluation), subject.clone(), ada(), "report");
        evaluations
            .report(spec.with_metric(metric, value))
            .await
            .unwrap();
    }
    for (query, found) in [
        ("eval.holdout.auc > 0.85", "one"),
        ("eval.holdout.auc < 0.85", ""),
        ("eval.holdout.auc = 'NaN'", "two"),
        ("evals.red-team.`f1 score` >= 0.5", "two"),
        ("eval.`red-team.f1 score` BETWEEN 0 AND 1", "two"),
        ("eval.v1.2.auc = 0.7", "two"),
        ("eval.holdout.f1 IS NOT NULL", ""),
        ("eval.red-team.auc IS NULL AND name = 'one'", "one"),
        ("ORDER BY eval.holdout.auc DESC", "one two"),
        ("ORDER BY eval.v1.2.auc", "two one"),
    ] {
        let page = fixture
            .registry
            .search(query, &Page::default())
            .await
            .unwrap();
        let names: Vec<&str> = page.results.iter().map(|hit| hit.model.as_str()).collect();
        assert_eq!(names.join(" "), found, "{query}");
    }
    let error = fixture
        .registry
        .search("eval.auc > 1", &Page::default())
        .await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
}
