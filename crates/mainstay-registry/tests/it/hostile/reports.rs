//! The same of reports, runs, uploads and annotations.

use futures::FutureExt as _;
use mainstay_core::ErrorKind;
use mainstay_registry::eval::{EvalSpec, Evaluations};
use mainstay_registry::run::RunSpec;
use mainstay_registry::{AnnotateSpec, UploadSpec};
use serde_json::json;

use super::{Cost, comes_to_nothing};
use crate::fixture::{Fixture, ada, file, locator, name, node};

const MANY: usize = 10_000;

#[tokio::test]
async fn a_report_of_too_much_or_of_nothing_is_refused() {
    let fixture = Fixture::new().await;
    let model = fixture.weights("fraud", "weights").await.node;
    let env = fixture.record("env:lab@1", json!({"os": "linux"})).await;
    let report = |subject| EvalSpec::new(name("holdout"), subject, ada(), "report");
    let base = || report(model.clone()).with_metric("auc", 0.9);
    let (invalid, missing) = (ErrorKind::Invalid, ErrorKind::NotFound);
    let many = |add: fn(EvalSpec, String) -> EvalSpec| {
        (0..MANY).fold(base(), |spec, key| add(spec, format!("key-{key}")))
    };
    for (spec, kind, says) in [
        (report(model.clone()), invalid, "nothing was measured"),
        (
            many(|spec, key| spec.with_metric(key, 1.0)),
            invalid,
            "more than 1000 metrics",
        ),
        (
            many(|spec, key| spec.with_slice_metric(key, "auc", 1.0)),
            invalid,
            "more than 1000 slices",
        ),
        (
            many(|spec, key| spec.with_slice_metric("de", key, 1.0)),
            invalid,
            "more than 1000 metrics",
        ),
        (
            many(|spec, key| spec.with_tag(key, "x")),
            invalid,
            "more than 1000 tags",
        ),
        (
            base().with_description("d".repeat(100_001)),
            invalid,
            "description longer",
        ),
        (
            base().with_slice_metric("two\nlines", "auc", 1.0),
            invalid,
            "a key is 1 to 250 bytes",
        ),
        (base().with_data(env), invalid, "env:lab@1"),
        (
            base().with_data(node("data:none@1")),
            missing,
            "data:none@1",
        ),
        (base().with_run(node("run:none@1")), missing, "run:none@1"),
        (
            report(node("model:fraud@2.0.0")).with_metric("auc", 0.9),
            missing,
            "model:fraud@2.0.0",
        ),
        (
            report(node("data:none@1")).with_metric("auc", 0.9),
            invalid,
            "data:none@1",
        ),
    ] {
        let evaluations = Evaluations::new(fixture.repo.clone());
        let attempt = async { evaluations.report(spec).await.map(drop) };
        comes_to_nothing(&fixture, attempt.boxed(), kind, says, Cost::Nothing).await;
    }
}

#[tokio::test]
async fn a_run_of_too_much_or_on_nothing_is_refused() {
    let fixture = Fixture::new().await;
    let base = || RunSpec::new(name("training"), fixture.now(), ada(), "train");
    let (invalid, missing) = (ErrorKind::Invalid, ErrorKind::NotFound);
    let many = |add: fn(RunSpec, String) -> RunSpec| {
        (0..MANY).fold(base(), |spec, key| add(spec, format!("key-{key}")))
    };
    for (spec, kind, says) in [
        (
            many(|spec, key| spec.with_parameter(key, 1)),
            invalid,
            "more than 1000 parameters",
        ),
        (
            many(|spec, key| spec.with_seed(key, 1)),
            invalid,
            "more than 1000 seeds",
        ),
        (
            many(|spec, key| spec.with_tag(key, "x")),
            invalid,
            "more than 1000 tags",
        ),
        (
            many(|spec, key| spec.with_input(name(&key), node("data:a@1"))),
            invalid,
            "more than 1000 inputs",
        ),
        (base().with_id(name("7")), invalid, "not given to runs"),
        (base().with_parameter("grid", json!([1])), invalid, "grid"),
        (
            base().with_input(name("env"), node("env:lab@1")),
            invalid,
            "env:lab@1",
        ),
        (
            base().with_input(name("train"), node("data:none@1")),
            missing,
            "data:none@1",
        ),
        (
            base().with_environment(node("env:none@1")),
            missing,
            "env:none@1",
        ),
    ] {
        let attempt = async { fixture.runs().start(spec).await.map(drop) };
        comes_to_nothing(&fixture, attempt.boxed(), kind, says, Cost::Nothing).await;
    }
}

#[tokio::test]
async fn an_annotation_cannot_add_what_a_registration_could_not() {
    let fixture = Fixture::new().await;
    let full = (0..999).fold(crate::fixture::spec("fraud", "weights"), |spec, key| {
        spec.with_tag(format!("key-{key}"), "x")
    });
    fixture.register(full).await;
    let base = || AnnotateSpec::new(locator("fraud"), ada(), "annotate");
    let many = (0..MANY).fold(base(), |spec, key| {
        spec.with_tag(format!("more-{key}"), "x")
    });
    let invalid = ErrorKind::Invalid;
    for (spec, kind, says) in [
        (many, invalid, "more than 1000 tags"),
        // With those that the version has.
        (
            base().with_tag("a", "x").with_tag("b", "x"),
            invalid,
            "more than 1000 tags",
        ),
        (
            base().with_tag("a", "x".repeat(100_001)),
            invalid,
            "longer than 100000 bytes",
        ),
        (
            base().with_description("x".repeat(100_001)),
            invalid,
            "longer than 100000 bytes",
        ),
        (
            base().with_tag("a\0", "x"),
            invalid,
            "a key is 1 to 250 bytes",
        ),
        (
            AnnotateSpec::new(locator("fraud@2.0.0"), ada(), "annotate").with_tag("a", "x"),
            ErrorKind::NotFound,
            "fraud@2.0.0",
        ),
    ] {
        let attempt = async { fixture.registry.annotate(spec).await.map(drop) };
        comes_to_nothing(&fixture, attempt.boxed(), kind, says, Cost::Nothing).await;
    }
    let fits = base()
        .with_tag("a", "x")
        .without_tag("key-0")
        .with_tag("b", "x");
    fixture.registry.annotate(fits).await.unwrap();
}

#[tokio::test]
async fn an_upload_takes_no_files_that_a_version_could_not_have() {
    let fixture = Fixture::new().await;
    let (model, id) = (name("large"), name("job"));
    let begin = UploadSpec::new(model.clone(), id.clone(), fixture.now(), ada(), "begin");
    fixture.registry.begin_upload(begin).await.unwrap();
    let first = [file("a", "1")];
    fixture
        .registry
        .upload(&model, &id, &first, ada(), "add")
        .await
        .unwrap();
    for (files, says, cost) in [
        (
            vec![file("b", "1"), file("B", "2")],
            "differ in case only",
            Cost::Nothing,
        ),
        (
            vec![file("b", "1"), file("b/c", "2")],
            "lies below another",
            Cost::Nothing,
        ),
        (
            vec![file("b", "1").with_media_type("none")],
            "media type",
            Cost::Nothing,
        ),
        // With a file that is there.
        (vec![file("a/b", "2")], "lies below another", Cost::Files),
    ] {
        let attempt = async {
            let added = fixture.registry.upload(&model, &id, &files, ada(), "add");
            added.await.map(drop)
        };
        comes_to_nothing(&fixture, attempt.boxed(), ErrorKind::Invalid, says, cost).await;
    }
    let other = name("other");
    let attempt = async {
        let added = fixture
            .registry
            .upload(&model, &other, &first, ada(), "add");
        added.await.map(drop)
    };
    comes_to_nothing(
        &fixture,
        attempt.boxed(),
        ErrorKind::NotFound,
        "other",
        Cost::Nothing,
    )
    .await;
}
