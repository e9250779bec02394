//! What a version says since format 2: its run, owner, purpose, expiry, weights of parents.

use std::path::PathBuf;

use mainstay_core::{EdgeKind, ErrorKind, Timestamp};
use mainstay_registry::run::RunSpec;
use mainstay_registry::{ModelVersion, Relation};
use mainstay_repo::Value;
use serde_json::json;

use crate::fixture::{Fixture, ada, check_golden_ref, locator, name, node, spec};

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/model-version/v2/merged.json")
}

async fn example() -> Fixture {
    let fixture = Fixture::new().await;
    let run = RunSpec::new(name("merging"), Timestamp::UNIX_EPOCH, ada(), "merge");
    let run = fixture.runs().start(run).await.unwrap().run;
    let one = fixture.weights("one", "a").await.node;
    let two = fixture.weights("two", "b").await.node;
    let merged = spec("merged", "ab")
        .with_merged(one, 0.25)
        .with_merged(two, 0.75)
        .with_checkpoint(run, 1000)
        .with_owner("risk@example.org")
        .with_purpose("triage of alerts")
        .with_expiry("2027-01-01T00:00:00Z".parse().unwrap());
    fixture.register(merged).await;
    fixture
}

#[tokio::test]
async fn the_second_format_is_read_and_what_it_says_is_stored_as_recorded() {
    let fixture = example().await;
    let file = "model-version/v3/merged.json";
    check_golden_ref(&fixture, "model/merged/version/1.0.0", file).await;
    let recorded = std::fs::read_to_string(golden()).unwrap();
    let value: Value = serde_json::from_str(&recorded).unwrap();
    let record = ModelVersion::from_value(&value).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), value.record);

    let mut first = value.clone();
    first.record["format"] = json!(1);
    assert_eq!(
        ModelVersion::from_value(&first).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    let mut newer = value;
    newer.record["format"] = json!(4);
    assert_eq!(
        ModelVersion::from_value(&newer).unwrap_err().kind(),
        ErrorKind::Incompatible
    );
}

#[tokio::test]
async fn checkpoints_are_versions_under_their_run() {
    let fixture = example().await;
    let view = fixture.repo.view().await.unwrap();
    let path = "model/merged/version/1.0.0".parse().unwrap();
    let value = view.get(&path).unwrap().unwrap().value.as_ref().unwrap();
    let made = value
        .edges
        .iter()
        .find(|edge| edge.kind == EdgeKind::GeneratedBy)
        .unwrap();
    assert_eq!(made.to, node("run:merging@1"));
    for (weights, step) in [("late", 900), ("early", 10)] {
        let checkpoint = spec("steps", weights).with_checkpoint(node("run:merging@1"), step);
        fixture.register(checkpoint).await;
    }
    fixture
        .register(spec("steps", "final").with_run(node("run:merging@1")))
        .await;
    let run = fixture.runs().show(&locator("merging@1")).await.unwrap();
    let outputs: Vec<_> = run
        .outputs
        .iter()
        .map(|out| (out.step, out.output.to_string()))
        .collect();
    assert_eq!(
        outputs,
        [
            (None, "model:steps@1.2.0".to_owned()),
            (Some(10), "model:steps@1.1.0".to_owned()),
            (Some(900), "model:steps@1.0.0".to_owned()),
            (Some(1000), "model:merged@1.0.0".to_owned()),
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let fixture = example().await;
    for (bad, kind) in [
        (
            spec("x", "w").with_run(node("run:merging@2")),
            ErrorKind::NotFound,
        ),
        (
            spec("x", "w").with_run(node("model:one@1.0.0")),
            ErrorKind::Invalid,
        ),
        (
            spec("x", "w").with_checkpoint(node("run:merging@1"), 1 << 53),
            ErrorKind::Invalid,
        ),
        (
            spec("x", "w").with_merged(node("model:one@1.0.0"), f64::NAN),
            ErrorKind::Invalid,
        ),
        (
            spec("x", "w").with_merged(node("model:one@9.0.0"), 1.0),
            ErrorKind::NotFound,
        ),
        (
            spec("x", "w").with_owner("o".repeat(100_001)),
            ErrorKind::Invalid,
        ),
    ] {
        assert_eq!(
            fixture
                .registry
                .register(bad.clone())
                .await
                .unwrap_err()
                .kind(),
            kind,
            "{bad:?}"
        );
    }
    let mut unweighed = spec("x", "w").with_merged(node("model:one@1.0.0"), 1.0);
    unweighed.parents.clear();
    let unweighed = unweighed.with_parent(node("model:one@1.0.0"), Relation::Distill);
    let error = fixture.registry.register(unweighed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let mut crowd = spec("x", "w");
    for key in 0..10_000 {
        crowd = crowd.with_tag(format!("tag-{key}"), "x");
    }
    let error = fixture.registry.register(crowd).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
