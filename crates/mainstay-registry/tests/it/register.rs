use mainstay_core::{Digest, EdgeKind, ErrorKind};
use mainstay_registry::{
    Bump, FileSpec, Level, ModelVersion, Registered, Relation, Reproduced, signature::Signature,
};
use proptest::prelude::*;
use semver::Version;
use serde_json::json;

use crate::fixture::{Fixture, file, locator, name, node, spec};

fn rules(registered: &Registered) -> Vec<&str> {
    let reasons = registered.reasons.iter();
    reasons.map(|reason| reason.rule.as_str()).collect()
}

fn signature(inputs: &[&str]) -> Signature {
    let column = |name: &&str| json!({"name": name, "type": "double", "required": true});
    let columns: Vec<_> = inputs.iter().map(column).collect();
    Signature::from_json(&json!({"inputs": columns, "outputs": [{"type": "string"}]})).unwrap()
}

#[tokio::test]
async fn the_first_version_is_1_0_0_and_everything_stated_is_recorded() {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:penguins@1", json!({"rows": 3})).await;
    let env = fixture.record("env:lab@1", json!({"os": "linux"})).await;
    let base = fixture.weights("base", "parent").await;
    let registered = fixture
        .register(
            spec("fraud", "weights")
                .with_data(name("train"), data.clone())
                .with_code(name("training"), name("9f31c2a"))
                .with_dirty_code()
                .with_parameter("depth", 6)
                .with_seed("numpy", u64::MAX)
                .with_environment(env)
                .with_metric("loss", f64::NAN)
                .with_metric_on("auc", 0.9, data)
                .with_parent(base.node.clone(), Relation::FineTune)
                .with_signature(signature(&["mass"]))
                .with_tag("team", "risk")
                .with_description("the first"),
        )
        .await;
    assert_eq!(registered.node.to_string(), "model:fraud@1.0.0");
    assert_eq!((registered.ordinal, registered.bump), (1, None));
    assert_eq!(registered.artifact, Digest::of(b"weights"));

    let view = fixture.repo.view().await.unwrap();
    let value = view
        .get(&registered.node.ref_path())
        .unwrap()
        .unwrap()
        .value
        .clone()
        .unwrap();
    assert_eq!(value.kind, ModelVersion::KIND);
    assert_eq!(value.record_digest().unwrap(), registered.digest);
    assert_eq!(value.blobs, [Digest::of(b"weights")]);
    let edges: Vec<_> = value
        .edges
        .iter()
        .map(|edge| {
            (
                edge.kind,
                edge.role.as_ref().unwrap().as_str(),
                edge.to.to_string(),
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            (EdgeKind::Used, "train", "data:penguins@1".to_owned()),
            (EdgeKind::Used, "environment", "env:lab@1".to_owned()),
            (EdgeKind::Used, "code", "code:training@9f31c2a".to_owned()),
            (
                EdgeKind::DerivedFrom,
                "fine_tune",
                "model:base@1.0.0".to_owned()
            ),
            (
                EdgeKind::EvaluatedOn,
                "evaluation",
                "data:penguins@1".to_owned()
            ),
        ]
    );
    let info = fixture.registry.show(&locator("fraud")).await.unwrap();
    assert_eq!(info.record.seeds["numpy"], u64::MAX);
    assert!(info.record.code.as_ref().unwrap().dirty);
    assert!(info.metrics["loss"].value().is_nan());
    assert_eq!(info.registered, fixture.now());
    assert_eq!(info.stage, name("development"));
}

#[tokio::test]
async fn the_version_follows_from_what_changed() {
    let fixture = Fixture::new().await;
    let base = || spec("fraud", "one").with_signature(signature(&["a"]));
    let steps = [
        (base(), "1.0.0", vec![]),
        (
            spec("fraud", "two").with_signature(signature(&["a"])),
            "1.1.0",
            vec!["artifact.weights"],
        ),
        (
            spec("fraud", "two").with_signature(signature(&["a", "b"])),
            "2.0.0",
            vec!["input.required_added"],
        ),
        (
            spec("fraud", "two")
                .with_signature(signature(&["a", "b"]))
                .with_file(file("README.md", "read me")),
            "2.0.1",
            vec!["artifact.documentation"],
        ),
        (
            spec("fraud", "two")
                .with_signature(signature(&["a", "b"]))
                .with_file(file("README.md", "read me"))
                .with_parameter("depth", 3)
                .with_code(name("training"), name("9f31c2a")),
            "2.1.0",
            vec!["parameter.changed", "code.changed"],
        ),
        (
            base(),
            "3.0.0",
            vec![
                "input.removed",
                "artifact.weights",
                "parameter.changed",
                "code.changed",
            ],
        ),
    ];
    for (spec, version, expected) in steps {
        let spec = if version == "3.0.0" {
            spec.with_bump(Bump::Declared(Level::Major))
        } else {
            spec
        };
        let registered = fixture.register(spec).await;
        assert_eq!(registered.version.to_string(), version);
        assert_eq!(rules(&registered), expected, "{version}");
    }
}

#[tokio::test]
async fn another_file_format_is_major() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "weights").await;
    let onnx = FileSpec::from_bytes("model.onnx".parse().unwrap(), "graph");
    let mut next = spec("fraud", "");
    next.files = vec![onnx];
    let registered = fixture.register(next).await;
    assert_eq!(registered.bump, Some(Level::Major));
    assert_eq!(rules(&registered), ["artifact.format", "artifact.weights"]);
}

#[tokio::test]
async fn data_is_compared_by_content_and_not_by_name() {
    let fixture = Fixture::new().await;
    let one = fixture.record("data:a@1", json!({"rows": 1})).await;
    let same = fixture.record("data:b@1", json!({"rows": 1})).await;
    let other = fixture.record("data:a@2", json!({"rows": 2})).await;
    let with = |data| spec("fraud", "weights").with_data(name("train"), data);
    fixture.register(with(one)).await;
    let error = fixture.registry.register(with(same)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let registered = fixture.register(with(other)).await;
    assert_eq!(rules(&registered), ["data.changed"]);
    assert_eq!(registered.bump, Some(Level::Minor));
}

#[tokio::test]
async fn a_declared_level_may_be_higher_and_never_lower_than_the_differences_ask() {
    let fixture = Fixture::new().await;
    fixture
        .register(spec("fraud", "one").with_signature(signature(&["a"])))
        .await;
    let next = || spec("fraud", "two").with_signature(signature(&["a", "b"]));
    for bump in [
        Bump::Declared(Level::Minor),
        Bump::Exact(Version::new(1, 9, 0)),
    ] {
        let error = fixture
            .registry
            .register(next().with_bump(bump))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let text = error.to_string();
        assert!(text.contains("input.required_added at inputs.b"), "{text}");
    }
    let minor = spec("fraud", "two").with_signature(signature(&["a"]));
    let registered = fixture
        .register(minor.with_bump(Bump::Declared(Level::Major)))
        .await;
    assert_eq!(registered.version, Version::new(2, 0, 0));
    assert_eq!(registered.bump, Some(Level::Major));
}

#[tokio::test]
async fn an_exact_version_is_taken_once_and_compared_with_the_next_lower_one() {
    let fixture = Fixture::new().await;
    let exact = |weights: &str, version: &str| {
        spec("fraud", weights).with_bump(Bump::Exact(version.parse().unwrap()))
    };
    let first = fixture.register(exact("one", "0.3.0")).await;
    assert_eq!(first.bump, None);
    fixture.register(exact("two", "2.0.0")).await;
    let hotfix = fixture.register(exact("three", "0.4.0")).await;
    assert_eq!(hotfix.bump, Some(Level::Minor));
    let info = fixture
        .registry
        .show(&locator("fraud@0.4.0"))
        .await
        .unwrap();
    assert_eq!(
        info.record.bump.as_ref().unwrap().previous,
        Version::new(0, 3, 0)
    );

    let again = fixture
        .registry
        .register(exact("four", "2.0.0"))
        .await
        .unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert!(again.to_string().contains("2.0.0"));
    let build = fixture
        .registry
        .register(exact("four", "3.0.0+b"))
        .await
        .unwrap_err();
    assert_eq!(build.kind(), ErrorKind::Invalid);
    // The number follows the highest version, also when another was registered last.
    assert_eq!(
        fixture.weights("fraud", "five").await.version,
        Version::new(2, 1, 0)
    );
}

#[tokio::test]
async fn the_same_content_again_is_refused_naming_the_version() {
    let fixture = Fixture::new().await;
    // 1.0 and 1 are one number in JSON.
    let with = |rate: f64| spec("fraud", "weights").with_parameter("rate", rate);
    fixture.register(with(1.0)).await;
    let again = with(1.0).with_metric("auc", 0.9).with_tag("k", "v");
    let error = fixture.registry.register(again).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("version: 1.0.0"), "{error}");
    // In another model it is another version.
    assert_eq!(fixture.weights("other", "weights").await.ordinal, 1);
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    let two = fixture.weights("fraud", "two").await;
    let mut delete = mainstay_repo::Transaction::new(crate::fixture::ada(), "remove");
    delete.delete(two.node.ref_path(), mainstay_repo::Expectation::Any);
    assert!(matches!(
        fixture.repo.commit(delete).await.unwrap(),
        mainstay_repo::CommitOutcome::Committed(_)
    ));
    let three = fixture.weights("fraud", "three").await;
    assert_eq!(
        (three.version.to_string(), three.ordinal),
        ("1.2.0".into(), 3)
    );
    let exact = spec("fraud", "four").with_bump(Bump::Exact(Version::new(1, 1, 0)));
    let error = fixture.registry.register(exact).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn equal_inputs_are_recognized_with_equal_and_with_other_bytes() {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:a@1", json!({"rows": 1})).await;
    let train = |weights: &str, depth: i32| {
        spec("fraud", weights)
            .with_data(name("train"), data.clone())
            .with_code(name("training"), name("9f31c2a"))
            .with_parameter("depth", depth)
            .with_seed("numpy", 1)
    };
    let first = fixture.register(train("one", 1)).await;
    assert_eq!(first.reproduced, Reproduced::New);
    let other = fixture.register(train("two", 2)).await;
    assert_ne!(other.reproducibility_digest, first.reproducibility_digest);
    let again = fixture.register(train("one", 1)).await;
    assert_eq!(again.reproducibility_digest, first.reproducibility_digest);
    let of = first.version.clone();
    assert_eq!(again.reproduced, Reproduced::Reused { of: of.clone() });
    let differs = fixture.register(train("three", 1)).await;
    assert_eq!(
        differs.reproduced,
        Reproduced::Differs { of, tensors: None }
    );
    let dirty = fixture.register(train("four", 1).with_dirty_code()).await;
    assert_eq!(dirty.reproduced, Reproduced::New);
    // Nothing is known about how these were made.
    fixture.weights("bare", "one").await;
    let bare = fixture.weights("bare", "two").await;
    assert_eq!(bare.reproduced, Reproduced::New);
}

#[tokio::test]
async fn what_is_not_there_is_named_and_nothing_is_registered() {
    let fixture = Fixture::new().await;
    let base = || spec("fraud", "weights");
    let cases = [
        (
            base().with_data(name("train"), node("data:gone@1")),
            ErrorKind::NotFound,
            "data:gone@1",
        ),
        (
            base().with_environment(node("env:gone@1")),
            ErrorKind::NotFound,
            "env:gone@1",
        ),
        (
            base().with_parent(node("model:gone@1.0.0"), Relation::Merge),
            ErrorKind::NotFound,
            "model:gone@1.0.0",
        ),
        (
            base().with_metric_on("auc", 0.9, node("data:gone@2")),
            ErrorKind::NotFound,
            "data:gone@2",
        ),
        (
            base().with_file(FileSpec::from_disk("b".parse().unwrap(), "/no/such/file")),
            ErrorKind::NotFound,
            "/no/such/file",
        ),
        (
            base().with_data(name("train"), node("env:lab@1")),
            ErrorKind::Invalid,
            "env:lab@1",
        ),
        (
            base().with_file(file("model.bin", "twice")),
            ErrorKind::Invalid,
            "one path",
        ),
        (
            base().with_parameter("grid", json!([1])),
            ErrorKind::Invalid,
            "grid",
        ),
        (
            base().with_parameter("n", 1_u64 << 60),
            ErrorKind::Invalid,
            "n",
        ),
        (base().with_parameter("x", 1e17), ErrorKind::Invalid, "x"),
        (base().with_tag("", "v"), ErrorKind::Invalid, "key"),
        (
            base().with_tag("k", "v".repeat(100_001)),
            ErrorKind::Invalid,
            "longer",
        ),
        (
            base().with_code(name("r"), name("latest")),
            ErrorKind::Invalid,
            "commit",
        ),
        (
            base().with_file(file("x.bin", "x").with_media_type("none")),
            ErrorKind::Invalid,
            "media type",
        ),
    ];
    for (spec, kind, named) in cases {
        let error = fixture.registry.register(spec).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            format!("{error} {:?}", std::error::Error::source(&error)).contains(named),
            "{error}"
        );
        assert!(error.operation_name().is_some());
    }
    let mut empty = base();
    empty.files.clear();
    let error = fixture.registry.register(empty).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(fixture.registry.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn models_registered_at_once_get_distinct_versions_and_ordinals() {
    let fixture = Fixture::new().await;
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let registry = fixture.registry.clone();
            let spec = spec("fraud", &format!("weights {number}"));
            tokio::spawn(async move { registry.register(spec).await.unwrap() })
        })
        .collect();
    let mut ordinals = Vec::new();
    let mut versions = Vec::new();
    for task in tasks {
        let registered = task.await.unwrap();
        ordinals.push(registered.ordinal);
        versions.push(registered.version);
    }
    ordinals.sort_unstable();
    versions.sort();
    assert_eq!(ordinals, (1..=16).collect::<Vec<u64>>());
    let expected: Vec<_> = (0..16).map(|minor| Version::new(1, minor, 0)).collect();
    assert_eq!(versions, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever is registered in whatever order: numbers rise, ordinals count, latest is the last.
    #[test]
    fn versions_of_any_history_are_distinct_and_counted(
        weights in proptest::collection::vec(("[abc]", 0_usize..3, 0..3_i32), 1..12)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            let columns = ["x", "y", "z"];
            let mut ordinal = 0;
            let mut highest = None;
            for (weights, inputs, depth) in weights {
                let next = spec("m", &weights)
                    .with_parameter("depth", depth)
                    .with_signature(signature(&columns[..inputs]));
                match fixture.registry.register(next).await {
                    Ok(registered) => {
                        ordinal += 1;
                        assert_eq!(registered.ordinal, ordinal);
                        assert!(highest < Some(registered.version.clone()));
                        highest = Some(registered.version.clone());
                        let latest = fixture.find("m").await;
                        assert_eq!(latest, Some(registered.version.to_string()));
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
                }
            }
        });
    }
}
