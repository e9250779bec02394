//! What is stored is what `docs/formats/model-version.md` and `reproducibility.md` say, forever.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mainstay_core::{Digest, ErrorKind, canon};
use mainstay_registry::signature::Signature;
use mainstay_registry::{
    AnnotateSpec, Better, Gate, ModelVersion, PromoteSpec, Promotion, Relation, Restated,
    StagePolicy,
};
use mainstay_repo::{Expectation, Transaction, Value};
use serde_json::json;

use crate::fixture::{Fixture, ada, check_golden_ref, file, locator, name, spec};

fn golden(name: &str) -> Vec<u8> {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "../../tests/golden/model-version/v1",
        name,
    ]
    .iter()
    .collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Two versions of a model with everything in them, the second in production.
async fn example() -> Fixture {
    let fixture = Fixture::new().await;
    let old = fixture
        .record("data:penguins@1", json!({"rows": 226}))
        .await;
    let new = fixture
        .record("data:penguins@2", json!({"rows": 344}))
        .await;
    let env = json!({"digest": Digest::of(b"identity"), "host": "lab"});
    let env = fixture.record("env:lab@1", env).await;
    let base = fixture.weights("base", "parent").await;
    let signature = |inputs: serde_json::Value| {
        Signature::from_json(&json!({
            "inputs": inputs,
            "outputs": [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}],
            "params": [{"name": "k", "type": "long", "default": 1, "shape": null}],
        }))
        .unwrap()
    };
    let mass = json!({"name": "mass", "type": "double", "required": true});
    fixture
        .register(
            spec("species", "one")
                .with_data(name("train"), old)
                .with_signature(signature(json!([mass]))),
        )
        .await;
    let island =
        json!({"name": "islands", "type": "array", "items": {"type": "string"}, "required": false});
    fixture
        .register(
            spec("species", "two")
                .with_file(file("README.md", "read me"))
                .with_data(name("train"), new.clone())
                .with_code(name("training"), name("9f31c2a"))
                .with_parameter("rate", 0.1)
                .with_parameter("solver", "lbfgs")
                .with_seed("numpy", u64::MAX)
                .with_environment(env)
                .with_metric_on("accuracy", 0.97, new)
                .with_metric("loss", f64::INFINITY)
                .with_parent(base.node, Relation::FineTune)
                .with_signature(signature(json!([mass, island])))
                .with_tag("team", "ecology")
                .with_description("with the islands"),
        )
        .await;
    let gate = Gate::NotWorse {
        metric: "accuracy".into(),
        better: Better::Higher,
        tolerance: 0.01,
    };
    let policy = StagePolicy::default().with_gate(name("production"), gate);
    fixture
        .registry
        .set_stage_policy(&name("species"), policy, ada(), &BTreeSet::new(), "careful")
        .await
        .unwrap();
    fixture.promote("species@1.1.0", "staging").await;
    let promote = PromoteSpec::new(locator("species"), name("production"), ada(), "ready");
    let promote = promote.with_metric("latency_ms", 4.5);
    let promoted = fixture.registry.promote(promote).await.unwrap();
    assert!(matches!(promoted, Promotion::Promoted(_)));
    let annotate = AnnotateSpec::new(locator("species@1.1.0"), ada(), "reviewed")
        .with_tag("review", "passed")
        .without_tag("team")
        .with_description("checked");
    fixture.registry.annotate(annotate).await.unwrap();
    fixture.alias("species@1.1.0", "champion").await;
    fixture
}

#[tokio::test]
async fn every_record_is_stored_as_the_first_release_stored_it() {
    let fixture = example().await;
    let view = fixture.repo.view().await.unwrap();
    for (path, file) in [
        ("status/1.1.0", "status.json"),
        ("annotation/1.1.0", "annotation.json"),
        ("policy/stages", "policy.json"),
        ("stage/production", "stage.json"),
        ("alias/champion", "alias.json"),
    ] {
        let path = format!("model/species/{path}").parse().unwrap();
        let value = view.get(&path).unwrap().unwrap().value.as_ref().unwrap();
        let stored = String::from_utf8(canon::to_vec(value).unwrap()).unwrap();
        let expected = String::from_utf8(golden(file)).unwrap();
        assert_eq!(stored, expected.trim_end(), "{file}");
    }
}

/// What is new in format 3 of a version and format 2 of an annotation.
#[tokio::test]
async fn who_registered_a_version_and_what_was_restated_is_stored_as_recorded_and_read() {
    let fixture = example().await;
    let annotate = AnnotateSpec::new(locator("species@1.1.0"), ada(), "handed over")
        .with_owner("ecology")
        .with_purpose("teaching")
        .with_expiry("2027-01-01T00:00:00Z".parse().unwrap());
    fixture.registry.annotate(annotate).await.unwrap();
    let mut annotate = AnnotateSpec::new(locator("species@1.1.0"), ada(), "for good");
    annotate.expires = Restated::Absent;
    fixture.registry.annotate(annotate).await.unwrap();
    for (path, file) in [
        ("version/1.0.0", "first.json"),
        ("version/1.1.0", "second.json"),
        ("annotation/1.1.0", "annotation.json"),
    ] {
        let file = format!("model-version/v3/{file}");
        check_golden_ref(&fixture, &format!("model/species/{path}"), &file).await;
    }
    let view = fixture.repo.view().await.unwrap();
    let path = "model/species/version/1.1.0".parse().unwrap();
    let value = view.get(&path).unwrap().unwrap().value.clone().unwrap();
    let record = ModelVersion::from_value(&value).unwrap();
    assert_eq!(record.author, Some(ada()));
    let mut earlier = value;
    earlier.record["format"] = json!(2);
    let error = ModelVersion::from_value(&earlier).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn the_reproducibility_digest_is_that_of_the_written_inputs() {
    let fixture = example().await;
    let info = fixture
        .registry
        .show(&locator("species@1.1.0"))
        .await
        .unwrap();
    let inputs = String::from_utf8(golden("reproducibility.json")).unwrap();
    assert_eq!(
        info.record.reproducibility,
        Digest::of(inputs.trim_end().as_bytes())
    );
}

#[test]
fn the_first_release_is_still_read() {
    for (file, version) in [("first.json", "1.0.0"), ("second.json", "1.1.0")] {
        let value: Value = serde_json::from_slice(&golden(file)).unwrap();
        let record = ModelVersion::from_value(&value).unwrap();
        assert_eq!(record.version.to_string(), version);
        // Nothing is lost on the way.
        assert_eq!(serde_json::to_value(&record).unwrap(), value.record);
    }
}

#[tokio::test]
async fn a_newer_format_is_refused_and_damage_is_corrupt() {
    let fixture = Fixture::new().await;
    let registered = fixture.weights("fraud", "one").await;
    let view = fixture.repo.view().await.unwrap();
    let value = view
        .get(&registered.node.ref_path())
        .unwrap()
        .unwrap()
        .value
        .clone()
        .unwrap();
    let mut newer = value.clone();
    newer.record["format"] = json!(4);
    let mut damaged = value.clone();
    damaged.record["ordinal"] = json!("one");
    let mut extra = value.clone();
    extra.record["extra"] = json!(1);
    let mut other = value.clone();
    other.kind = "data.snapshot".into();
    for (value, kind) in [
        (newer, ErrorKind::Incompatible),
        (damaged, ErrorKind::Corrupt),
        (extra, ErrorKind::Corrupt),
        (other, ErrorKind::Corrupt),
    ] {
        assert_eq!(ModelVersion::from_value(&value).unwrap_err().kind(), kind);
        let mut transaction = Transaction::new(ada(), "another program");
        transaction.set(registered.node.ref_path(), value, Expectation::Any);
        fixture.commit(transaction).await;
        let error = fixture.registry.show(&locator("fraud")).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        let error = fixture
            .registry
            .register(spec("fraud", "two"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind);
        let page = mainstay_registry::search::Page::default();
        let error = fixture.registry.search("", &page).await.unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}
