//! Registrations that ask for too much, or for what cannot be: each is refused by the right kind of error,
//! and leaves the workspace as it was.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use mainstay_core::{ErrorKind, FilePath, Name, NodeRef};
use mainstay_registry::run::RunSpec;
use mainstay_registry::search::Page;
use mainstay_registry::signature::{ColSpec, DataType, ParamSpec, Schema, Signature, TensorSpec};
use mainstay_registry::{Bump, FileSpec, MAX_ENTRIES, ModelSpec, Registry, Relation};
use mainstay_repo::CollectOptions;
use proptest::prelude::*;
use semver::Version;
use serde_json::{Value, json};

use crate::fixture::{Fixture, ada, file, locator, name, node, spec};

/// When a registration is refused: before its files are stored, or after.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cost {
    Nothing,
    Files,
}

/// Registers what is refused, and checks the error and that nothing came of it.
async fn refused(
    fixture: &Fixture,
    specs: Vec<ModelSpec>,
    kind: ErrorKind,
    says: &str,
    cost: Cost,
) {
    let before = fixture.objects().await;
    let seq = fixture.repo.view().await.unwrap().seq();
    let refused = match <[ModelSpec; 1]>::try_from(specs) {
        Ok([one]) => fixture.registry.register(one).await.map(drop),
        Err(several) => fixture.registry.register_many(several).await.map(drop),
    };
    let error = refused.unwrap_err();
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        told = format!("{told}: {source}");
        cause = source.source();
    }
    assert_eq!(error.kind(), kind, "{told}");
    assert!(told.contains(says), "{says}: {told}");
    assert!(told.len() < 2_000, "{told:.2000}");
    assert!(error.operation_name().is_some(), "{told}");

    assert_eq!(fixture.repo.view().await.unwrap().seq(), seq, "{told}");
    let after = fixture.objects().await;
    for (key, bytes) in &before {
        assert_eq!(after.get(key), Some(bytes), "{key}: {told}");
    }
    let new: Vec<&String> = after
        .keys()
        .filter(|key| !before.contains_key(*key))
        .collect();
    match cost {
        Cost::Nothing => assert_eq!(new, [""; 0], "{told}"),
        Cost::Files => {
            let is_blob = |key: &&String| key.starts_with("pack/") || key.starts_with("index/");
            assert!(new.iter().all(is_blob), "{new:?}: {told}");
        }
    }
}

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

/// A type with as many lists around a number.
fn nested(depth: usize) -> DataType {
    (0..depth).fold(DataType::Double, |inner, _| {
        DataType::Array(Box::new(inner))
    })
}

#[tokio::test]
async fn a_signature_that_was_built_keeps_the_rules_of_one_that_is_read() {
    let fixture = Fixture::new().await;
    let columns = |columns| Signature::new(Some(Schema::Columns(columns)), None);
    let tensors = |tensors| Signature::new(None, Some(Schema::Tensors(tensors)));
    let param = |default| {
        let param = ParamSpec::new("k", DataType::Double, default);
        Signature::new(None, None).with_params(vec![param])
    };
    let column = |name: &str| ColSpec::new(name, DataType::Double);
    let wide = (0..60_000)
        .map(|number| column(&format!("{number:060}")))
        .collect();
    for (signature, says) in [
        (
            columns(vec![column("a"), column("a")]),
            "two members have one name",
        ),
        (
            columns(vec![column("a"), ColSpec::unnamed(DataType::Long)]),
            "some have none",
        ),
        (columns(vec![column("")]), "expected text"),
        (
            columns(vec![ColSpec::new("a", nested(33))]),
            "nests too deep",
        ),
        (columns(wide), "longer than 4 MiB"),
        (tensors(vec![TensorSpec::new("", vec![1])]), "expected text"),
        (
            tensors(vec![TensorSpec::new("float32", vec![-2])]),
            "at most 64 lengths",
        ),
        (
            tensors(vec![TensorSpec::new("float32", vec![1; 65])]),
            "at most 64 lengths",
        ),
    ] {
        let spec = spec("x", "weights").with_signature(signature);
        refused(
            &fixture,
            vec![spec],
            ErrorKind::Invalid,
            says,
            Cost::Nothing,
        )
        .await;
    }
    let inexact = spec("x", "weights").with_signature(param(json!(1_u64 << 60)));
    refused(
        &fixture,
        vec![inexact],
        ErrorKind::Invalid,
        "JSON",
        Cost::Files,
    )
    .await;
    let deepest = columns(vec![ColSpec::new("a", nested(32))]);
    fixture
        .register(spec("x", "weights").with_signature(deepest))
        .await;
}

#[tokio::test]
async fn references_to_nothing_or_to_something_else_are_refused_before_anything_is_stored() {
    let fixture = Fixture::new().await;
    let gone = fixture.weights("gone", "weights").await.node;
    fixture
        .registry
        .delete(&locator("gone"), ada(), "no use")
        .await
        .unwrap();
    fixture.record("data:here@1", json!({"rows": 1})).await;
    let base = || spec("x", "weights");
    let (missing, wrong) = (ErrorKind::NotFound, ErrorKind::Invalid);
    for (spec, kind, says) in [
        (
            base().with_data(name("train"), node("data:none@1")),
            missing,
            "data:none@1",
        ),
        (
            base().with_data(name("train"), node("data:here@2")),
            missing,
            "data:here@2",
        ),
        (
            base().with_environment(node("env:none@1")),
            missing,
            "env:none@1",
        ),
        (base().with_run(node("run:none@1")), missing, "run:none@1"),
        (
            base().with_metric_on("auc", 0.9, node("data:none@1")),
            missing,
            "data:none@1",
        ),
        (
            base().with_parent(gone.clone(), Relation::FineTune),
            missing,
            "model:gone@1.0.0",
        ),
        (
            base().with_merged(node("model:none@1.0.0"), 1.0),
            missing,
            "model:none@1.0.0",
        ),
        (
            base().with_data(name("train"), node("model:x@1.0.0")),
            wrong,
            "model:x@1.0.0",
        ),
        (
            base().with_environment(node("data:here@1")),
            wrong,
            "data:here@1",
        ),
        (base().with_run(node("data:here@1")), wrong, "data:here@1"),
        (
            base().with_metric_on("auc", 0.9, node("env:a@1")),
            wrong,
            "env:a@1",
        ),
        (
            base().with_parent(node("data:here@1"), Relation::Copy),
            wrong,
            "data:here@1",
        ),
        (
            base().with_code(name("repo"), name("latest")),
            wrong,
            "one commit",
        ),
    ] {
        refused(&fixture, vec![spec], kind, says, Cost::Nothing).await;
    }
    let absent = base().with_upload(name("none"));
    refused(&fixture, vec![absent], missing, "none", Cost::Files).await;
}

#[tokio::test]
async fn a_model_cannot_come_from_itself() {
    let fixture = Fixture::new().await;
    let exact = |model: &str, parent: &str| {
        let first = Bump::Exact(Version::new(1, 0, 0));
        spec(model, "weights")
            .with_bump(first)
            .with_parent(node(parent), Relation::Continue)
    };
    let kind = ErrorKind::NotFound;
    let itself = vec![exact("a", "model:a@1.0.0")];
    refused(&fixture, itself, kind, "model:a@1.0.0", Cost::Nothing).await;
    // In one transaction too, where each is there once both are.
    let each_other = vec![exact("a", "model:b@1.0.0"), exact("b", "model:a@1.0.0")];
    refused(&fixture, each_other, kind, "model:b@1.0.0", Cost::Nothing).await;
    let chain = vec![spec("a", "weights"), exact("b", "model:a@1.0.0")];
    refused(&fixture, chain, kind, "model:a@1.0.0", Cost::Nothing).await;
    // A version whose number was used is not there for its own successor of the same number.
    fixture.weights("a", "weights").await;
    fixture
        .registry
        .delete(&locator("a"), ada(), "again")
        .await
        .unwrap();
    let again = vec![exact("a", "model:a@1.0.0")];
    refused(&fixture, again, kind, "model:a@1.0.0", Cost::Nothing).await;
}

#[tokio::test]
async fn files_that_are_missing_clash_or_are_none_are_refused() {
    let fixture = Fixture::new().await;
    let directory = tempfile::tempdir().unwrap();
    let disk =
        |path: &str| FileSpec::from_disk("b.bin".parse().unwrap(), directory.path().join(path));
    let base = || spec("x", "weights");
    let mut empty = base();
    empty.files.clear();
    let invalid = ErrorKind::Invalid;
    for (spec, says) in [
        (empty, "at least one file"),
        (
            base().with_file(file("model.bin", "twice")),
            "two files have one path",
        ),
        (
            base().with_file(file("MODEL.bin", "on some disks")),
            "differ in case only",
        ),
        (
            base().with_file(file("model.bin/below", "a file")),
            "lies below another",
        ),
        (
            base().with_file(file("b", "b").with_media_type("none")),
            "media type",
        ),
        (
            base().with_file(file("b", "b").with_media_type("a/b/c")),
            "media type",
        ),
        (
            base().with_file(file("b", "b").with_media_type("text/\u{1b}")),
            "media type",
        ),
        (
            base().with_file(file("b", "b").with_media_type("a/".repeat(200))),
            "media type",
        ),
    ] {
        refused(&fixture, vec![spec], invalid, says, Cost::Nothing).await;
    }
    let gone = base().with_file(disk("gone"));
    refused(
        &fixture,
        vec![gone],
        ErrorKind::NotFound,
        "gone",
        Cost::Files,
    )
    .await;
    // One bad version takes the good ones of its batch with it.
    let batch = vec![spec("y", "good"), base().with_file(disk("gone"))];
    refused(&fixture, batch, ErrorKind::NotFound, "gone", Cost::Files).await;
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let before = fixture.repo.view().await.unwrap().seq();
    let error = fixture
        .registry
        .register(base().with_file(disk("sub")))
        .await
        .unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(fixture.repo.view().await.unwrap().seq(), before);
}

#[test]
fn names_and_paths_that_play_tricks_are_none() {
    for bad in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a:b",
        "a@b",
        "-rf",
        ".hidden",
        "a..b",
        "a.",
        "a b",
        "a\0",
        "a\nb",
        "a\u{202e}b",
        "\u{feff}a",
        "\u{fb01}n",
        "\u{ff21}",
        "a\u{200b}",
        "~",
        "%2e%2e",
        "$HOME",
    ] {
        assert_eq!(
            bad.parse::<Name>().unwrap_err().kind(),
            ErrorKind::Invalid,
            "{bad:?}"
        );
        let reference = format!("model:{bad}@1.0.0").parse::<NodeRef>();
        assert!(reference.is_err(), "{bad:?}: {reference:?}");
    }
    for bad in [
        "",
        "/",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "a\\..\\b",
        "a\0",
        "a\nb",
        "a\u{7f}",
    ] {
        assert_eq!(
            bad.parse::<FilePath>().unwrap_err().kind(),
            ErrorKind::Invalid,
            "{bad:?}"
        );
    }
    assert!("a".repeat(129).parse::<Name>().is_err());
    assert!("a/".repeat(513).parse::<FilePath>().is_err());
}

#[tokio::test]
async fn what_a_refused_registration_stored_is_collected() {
    let fixture = Fixture::new().await;
    fixture.weights("kept", "kept weights").await;
    // More than is kept inside of a manifest.
    let bytes = "refused ".repeat(10_000);
    let mut wordy = spec("x", &bytes);
    wordy.reason = "why ".repeat(2_000);
    refused(
        &fixture,
        vec![wordy],
        ErrorKind::Invalid,
        "reason",
        Cost::Files,
    )
    .await;
    let digest = mainstay_core::Digest::of(bytes.as_bytes());
    assert!(fixture.repo.blob(&digest).await.unwrap().is_some());
    let options = CollectOptions::default()
        .with_keep_history(Duration::ZERO)
        .with_grace(Duration::from_hours(1));
    for _ in 0..4 {
        let plan = fixture.repo.plan_collection(&options).await.unwrap();
        fixture
            .repo
            .apply_collection(&plan, ada(), "collect")
            .await
            .unwrap();
        fixture.clock.advance(Duration::from_hours(2));
    }
    let reopened = fixture.reopened().await;
    assert!(reopened.blob(&digest).await.unwrap().is_none());
    let target = tempfile::tempdir().unwrap();
    let view = reopened.view().await.unwrap();
    let pulled = Registry::new(reopened)
        .pull(&view, &locator("kept"), target.path())
        .await;
    assert_eq!(pulled.unwrap().bytes, 12);
}

#[tokio::test]
async fn bytes_that_were_altered_or_lost_since_are_never_handed_out() {
    let bytes = "weights ".repeat(10_000);
    for lost in [false, true] {
        let fixture = Fixture::new().await;
        fixture.weights("fraud", &bytes).await;
        for (key, object) in fixture.objects().await {
            if key.starts_with("pack/") {
                let mut altered = object.to_vec();
                let middle = altered.len() / 2;
                altered[middle] ^= 1;
                fixture
                    .damage(&key, (!lost).then(|| Bytes::from(altered)))
                    .await;
            }
        }
        let repo = fixture.reopened().await;
        let (view, registry) = (repo.view().await.unwrap(), Registry::new(repo));
        // What is known of the version is in the log, and still there.
        let info = registry.show(&locator("fraud")).await.unwrap();
        assert_eq!(info.record.artifact.bytes(), bytes.len() as u64);
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("pulled");
        let error = registry
            .pull(&view, &locator("fraud"), &target)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
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

/// A signature in JSON in which a few things went wrong.
fn any_signature() -> impl Strategy<Value = String> {
    let whole = json!({
        "inputs": [
            {"name": "a", "type": "double", "required": true},
            {"name": "b", "type": "array", "items": {"type": "object", "properties": {"c": {"type": "long"}}}},
        ],
        "outputs": "[{\"type\": \"tensor\", \"tensor-spec\": {\"dtype\": \"float32\", \"shape\": [-1]}}]",
        "params": [{"name": "k", "type": "long", "default": 1, "shape": null}],
    });
    let whole = whole.to_string();
    let pieces = prop::sample::select(vec![
        "null",
        "\"\"",
        "{}",
        "[]",
        "-1",
        "1e999",
        "1e17",
        "\"name\"",
        "\"type\"",
        "\"tensor\"",
        "\"\\u0000\"",
        "{",
        "]",
        ",",
        "9007199254740993",
        "\\",
        "",
    ]);
    let cut = (0..=whole.len(), 0..=whole.len(), pieces);
    prop::collection::vec(cut, 0..3).prop_map(move |cuts| {
        cuts.into_iter().fold(whole.clone(), |text, (a, b, piece)| {
            let (a, b) = (
                a.min(b).min(text.len()),
                a.max(b).min(a.min(b) + 12).min(text.len()),
            );
            match (text.get(..a), text.get(b..)) {
                (Some(before), Some(after)) => format!("{before}{piece}{after}"),
                _ => text,
            }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is said to be a signature is refused as that, or registered and read back.
    #[test]
    fn any_signature_is_refused_or_read_back(text in any_signature()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let signature = match text.parse::<Signature>() {
                Ok(signature) => signature,
                Err(error) => return assert_eq!(error.kind(), ErrorKind::Invalid, "{text}"),
            };
            let fixture = Fixture::new().await;
            let spec = spec("x", "weights").with_signature(signature.clone());
            match fixture.registry.register(spec).await {
                Ok(_) => {
                    let info = fixture.registry.show(&locator("x")).await.unwrap();
                    let stored = info.record.signature.unwrap();
                    assert_eq!(stored.to_json(), signature.to_json(), "{text}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Invalid, "{text}: {error}");
                    let models: BTreeSet<_> = fixture.registry.list().await.unwrap().into_iter().map(|m| m.model).collect();
                    assert!(models.is_empty());
                }
            }
        });
    }
}
