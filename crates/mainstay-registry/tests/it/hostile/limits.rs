//! More than there may be.

use mainstay_core::ErrorKind;
use mainstay_registry::run::RunSpec;
use mainstay_registry::search::Page;
use mainstay_registry::{Bump, FileSpec, MAX_ENTRIES, ModelSpec, Registry, Relation};
use semver::Version;
use serde_json::{Value, json};

use super::{Cost, refused};
use crate::fixture::{Fixture, ada, locator, name, node, spec};

fn many(add: impl Fn(ModelSpec, String) -> ModelSpec) -> ModelSpec {
    (0..10_000).fold(spec("x", "weights"), |spec, key| {
        add(spec, format!("key-{key}"))
    })
}

#[tokio::test]
async fn more_than_a_version_may_have_is_refused_before_anything_is_stored() {
    let fixture = Fixture::new().await;
    let base = || spec("x", "weights");
    let long = "v".repeat(100_001);
    let key = "k".repeat(251);
    let numbered = |kind: &str, number: usize| node(&format!("{kind}:m-{number}@1"));
    let models = |spec: ModelSpec, key: &String| {
        let number = key.trim_start_matches("key-").parse().unwrap();
        spec.with_parent(numbered("model", number), Relation::Merge)
    };
    for (spec, says) in [
        (
            many(|spec, key| spec.with_tag(key, "x")),
            "more than 1000 tags",
        ),
        (
            many(|spec, key| spec.with_metric(key, 1.0)),
            "more than 1000 metrics",
        ),
        (
            many(|spec, key| spec.with_parameter(key, 1)),
            "more than 1000 parameters",
        ),
        (
            many(|spec, key| spec.with_seed(key, 1)),
            "more than 1000 seeds",
        ),
        (
            many(|spec, key| models(spec, &key)),
            "more than 1000 parents",
        ),
        (
            many(|spec, key| spec.with_data(name(&key), node("data:a@1"))),
            "more than 1000 data",
        ),
        (base().with_tag("k", &*long), "tag longer than 100000 bytes"),
        (
            base().with_parameter("k", &*long),
            "parameter longer than 100000 bytes",
        ),
        (base().with_description(&*long), "description longer"),
        (base().with_owner(&*long), "owner or purpose longer"),
        (base().with_purpose(&*long), "owner or purpose longer"),
        (base().with_tag(&*key, "x"), "a key is 1 to 250 bytes"),
        (base().with_metric(&*key, 1.0), "a key is 1 to 250 bytes"),
        (
            base().with_parameter(" padded", 1),
            "a key is 1 to 250 bytes",
        ),
        (base().with_seed("two\nlines", 1), "a key is 1 to 250 bytes"),
        (base().with_tag("\u{1b}[2J", "x"), "a key is 1 to 250 bytes"),
        (base().with_metric("", 1.0), "a key is 1 to 250 bytes"),
    ] {
        refused(
            &fixture,
            vec![spec],
            ErrorKind::Invalid,
            says,
            Cost::Nothing,
        )
        .await;
    }
    // As many as may be are registered.
    let full = (0..MAX_ENTRIES).fold(base(), |spec, key| spec.with_tag(format!("key-{key}"), "x"));
    fixture.register(full).await;
}

#[tokio::test]
async fn what_is_too_large_as_a_whole_is_refused() {
    let fixture = Fixture::new().await;
    let text = "v".repeat(100_000);
    let huge = (0..180).fold(spec("x", "weights"), |spec, key| {
        spec.with_tag(format!("key-{key}"), &*text)
    });
    refused(
        &fixture,
        vec![huge],
        ErrorKind::Invalid,
        "16 MiB of text",
        Cost::Nothing,
    )
    .await;
    // Spelled in JSON it is six times as long.
    let text = "\u{1}".repeat(100_000);
    let escaped = (0..30).fold(spec("x", "weights"), |spec, key| {
        spec.with_tag(format!("key-{key}"), &*text)
    });
    refused(
        &fixture,
        vec![escaped],
        ErrorKind::Invalid,
        "the log takes at most",
        Cost::Files,
    )
    .await;
    let mut wordy = spec("x", "weights");
    wordy.reason = "why ".repeat(2_000);
    refused(
        &fixture,
        vec![wordy],
        ErrorKind::Invalid,
        "reason",
        Cost::Files,
    )
    .await;
}

#[tokio::test]
async fn numbers_that_no_record_can_hold_are_refused() {
    let fixture = Fixture::new().await;
    let base = || spec("x", "weights");
    let run = RunSpec::new(name("t"), fixture.now(), ada(), "train");
    let run = fixture.runs().start(run).await.unwrap().run;
    let parent = fixture.weights("base", "parent").await.node;
    let exact = |text: &str| base().with_bump(Bump::Exact(Version::parse(text).unwrap()));
    for (spec, says) in [
        (base().with_parameter("n", 1_u64 << 53), "no exact JSON"),
        (base().with_parameter("n", -1e20), "no exact JSON"),
        (base().with_parameter("grid", json!([1])), "grid"),
        (base().with_parameter("grid", json!({"a": 1})), "grid"),
        (
            base().with_checkpoint(run, i64::MIN),
            "a step is less than 2^53",
        ),
        (
            base().with_merged(parent.clone(), f64::NAN),
            "a weight is a finite number",
        ),
        (
            base().with_merged(parent, f64::NEG_INFINITY),
            "a weight is a finite number",
        ),
        (exact("1.0.0+build"), "build metadata"),
    ] {
        refused(
            &fixture,
            vec![spec],
            ErrorKind::Invalid,
            says,
            Cost::Nothing,
        )
        .await;
    }
    let long = format!("1.0.0-{}", "a".repeat(200));
    refused(
        &fixture,
        vec![exact(&long)],
        ErrorKind::Invalid,
        "128 bytes",
        Cost::Files,
    )
    .await;
    // The last version there can be has no successor.
    let last = format!("{}.0.0", u64::MAX);
    let onnx = |weights: &str| {
        let mut spec = spec("last", "");
        spec.files = vec![FileSpec::from_bytes(
            "model.onnx".parse().unwrap(),
            weights.to_owned(),
        )];
        spec
    };
    let first = spec("last", "weights").with_bump(Bump::Exact(Version::parse(&last).unwrap()));
    fixture.register(first).await;
    let error = fixture.registry.register(onnx("graph")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[tokio::test]
async fn a_metric_that_is_no_finite_number_stays_what_it_is_and_wins_nothing() {
    let fixture = Fixture::new().await;
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for (number, value) in odd.into_iter().enumerate() {
        fixture
            .register(spec(&format!("odd-{number}"), "weights").with_metric("loss", value))
            .await;
    }
    fixture
        .register(spec("even", "weights").with_metric("loss", f64::MAX))
        .await;
    let registry = Registry::new(fixture.reopened().await);
    for (number, text) in ["NaN", "Infinity", "-Infinity"].into_iter().enumerate() {
        let info = registry
            .show(&locator(&format!("odd-{number}")))
            .await
            .unwrap();
        let json = serde_json::to_value(&info).unwrap();
        assert_eq!(
            json["record"]["metrics"]["loss"]["value"],
            Value::from(text)
        );
        assert_eq!(json["metrics"]["loss"], Value::from(text));
    }
    for (query, first, found) in [
        ("metrics.loss < 1e300 OR metrics.loss >= 1e300", "even", 1),
        ("ORDER BY metrics.loss", "even", 4),
        ("ORDER BY metrics.loss DESC", "even", 4),
        ("metrics.loss = 'Infinity'", "odd-1", 1),
    ] {
        let page = registry.search(query, &Page::default()).await.unwrap();
        assert_eq!(
            (page.results[0].model.as_str(), page.results.len()),
            (first, found),
            "{query}"
        );
    }
}
