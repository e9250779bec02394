//! What is told of a model that changed.

use mainstay::lineage::Graph;
use mainstay::lineage::change::{Change, Component, Severity};
use mainstay::registry::{FileSpec, ModelSpec};
use mainstay::{Actor, Workspace};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;

fn spec() -> ModelSpec {
    ModelSpec::new(
        "fraud".parse().unwrap(),
        Actor::new("ada").unwrap(),
        "training",
    )
}

/// Tensors of bytes: by name, how many and which byte.
fn weights(path: &str, tensors: &[(&str, usize, u8)]) -> FileSpec {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, count, byte)| vec![*byte; *count])
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, count, _), bytes)| {
        (
            *name,
            TensorView::new(Dtype::U8, vec![*count], bytes).unwrap(),
        )
    });
    let file = safetensors::serialize(views, None).unwrap();
    FileSpec::from_bytes(path.parse().unwrap(), file)
}

async fn told(versions: [ModelSpec; 2]) -> (Workspace, Change) {
    let workspace = Workspace::create("mem:").await.unwrap();
    let mut nodes = Vec::new();
    for version in versions {
        nodes.push(workspace.models().register(version).await.unwrap().node);
    }
    let change = workspace.changed(&nodes[0], &nodes[1]).await.unwrap();
    (workspace, change)
}

fn model(change: &Change) -> &Component {
    let mut parts = change.components.iter();
    parts.find(|part| part.slot == "model").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retrained_model_is_told_by_settings_code_and_tensors_in_every_form() {
    const COMMIT: &str = "9f31c2a09f31c2a09f31c2a09f31c2a09f31c2a0";
    let code = |commit: &str| ("trainer".parse().unwrap(), commit.parse().unwrap());
    let (old, new) = (code("v1"), code(COMMIT));
    let (workspace, change) = told([
        spec()
            .with_file(weights(
                "model.safetensors",
                &[("body", 300_000, 1), ("head", 100, 2)],
            ))
            .with_parameter("rate", 0.1)
            .with_parameter("depth", 6)
            .with_seed("numpy", u64::MAX - 1)
            .with_code(old.0, old.1),
        spec()
            .with_file(weights(
                "model.safetensors",
                &[("body", 300_000, 1), ("head", 100, 3)],
            ))
            .with_parameter("rate", 0.3)
            .with_parameter("depth", 6)
            .with_parameter("dropout", 0.5)
            .with_seed("numpy", u64::MAX)
            .with_code(new.0, new.1)
            .with_dirty_code(),
    ])
    .await;
    let part = model(&change);
    let (settings, stored) = part.summary.split_once("; tensors: ").unwrap();
    assert_eq!(
        settings,
        "rate 0.1 → 0.3; dropout 0.5 added; \
         seed numpy 18446744073709551614 → 18446744073709551615; \
         code trainer v1 → 9f31c2a09f31 (dirty)"
    );
    assert!(stored.starts_with("1 changed (head), 99 % of "), "{stored}");
    assert!(stored.ends_with("changed: artifact"), "{stored}");
    assert_eq!(part.severity, Severity::Medium);

    let detail = &part.detail;
    assert_eq!(
        detail["parameters"]["differences"],
        json!([
            {"path": "/rate", "before": 0.1, "after": 0.3},
            {"path": "/dropout", "before": null, "after": 0.5},
        ])
    );
    assert_eq!(detail["code"]["before"]["commit"], "v1");
    assert_eq!(detail["code"]["after"]["commit"], COMMIT);
    assert_eq!(detail["code"]["after"]["dirty"], true);
    let tensors = &detail["tensors"]["compared"];
    assert_eq!(tensors["changed"], json!({"count": 1, "names": ["head"]}));
    assert_eq!(tensors["added"]["count"], 0);

    let view = workspace.repo().view().await.unwrap();
    let graph = view.read(Graph::from_view).await.unwrap();
    for page in [change.to_markdown(), change.to_html(&graph)] {
        for clause in [
            "rate 0.1 → 0.3",
            "v1 → 9f31c2a09f31 (dirty)",
            "1 changed (head)",
            "minor: parameter.changed at parameters.rate",
            "head changed",
        ] {
            assert!(page.contains(clause), "{clause} in {page}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_architecture_ranks_high_and_the_same_tensors_elsewhere_low() {
    let one = |tensors| spec().with_file(weights("model.safetensors", tensors));
    let base = [("body", 9_000, 1), ("head", 100, 2)];
    for (tensors, severity, summary) in [
        (
            &[("body", 9_000, 1), ("head", 200, 2)][..],
            Severity::High,
            "1 reshaped (head)",
        ),
        (&[("body", 9_000, 1)], Severity::High, "1 removed (head)"),
        (
            &[("body", 9_000, 1), ("head", 100, 3)],
            Severity::Medium,
            "1 changed (head)",
        ),
    ] {
        let (_, change) = told([one(&base), one(tensors)]).await;
        let part = model(&change);
        assert_eq!(part.severity, severity, "{}", part.summary);
        assert!(part.summary.contains(summary), "{}", part.summary);
    }
    let shards = spec()
        .with_file(weights("a.safetensors", &base[..1]))
        .with_file(weights("b.safetensors", &base[1..]));
    let (_, change) = told([one(&base), shards.clone()]).await;
    let part = model(&change);
    assert_eq!(part.severity, Severity::Low);
    assert!(
        part.summary.contains("tensors are the same"),
        "{}",
        part.summary
    );

    // Not when something else may compute differently.
    let vocabulary = FileSpec::from_bytes("vocab.txt".parse().unwrap(), "a b c");
    let (_, change) = told([one(&base), shards.with_file(vocabulary)]).await;
    assert_eq!(model(&change).severity, Severity::Medium);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_only_calls_itself_safetensors_does_not_hide_the_rest() {
    let file =
        |text: &'static str| FileSpec::from_bytes("model.safetensors".parse().unwrap(), text);
    let (_, change) = told([
        spec()
            .with_file(file("placeholder"))
            .with_parameter("depth", 6),
        spec().with_file(file("another")).with_parameter("depth", 8),
    ])
    .await;
    let part = model(&change);
    assert!(
        part.summary
            .starts_with("depth 6 → 8; tensors were not compared"),
        "{}",
        part.summary
    );
    let why = part.detail["tensors"]["not_compared"].as_str().unwrap();
    assert!(why.contains("model.safetensors"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_that_are_no_numbers_came_or_went_are_told_as_they_are() {
    let measured = |weights: &'static str, metrics: &[(&str, f64)]| {
        let weights = FileSpec::from_bytes("model.bin".parse().unwrap(), weights);
        let with = |spec: ModelSpec, (name, value): &(&str, f64)| spec.with_metric(*name, *value);
        metrics.iter().fold(spec().with_file(weights), with)
    };
    let (_, change) = told([
        measured(
            "old",
            &[
                ("auc", 0.93),
                ("depth", f64::NAN),
                ("gone", 0.5),
                ("loss", f64::NAN),
                ("rate", 0.000_12),
                ("same", f64::INFINITY),
                ("still", f64::NAN),
            ],
        ),
        measured(
            "new",
            &[
                ("auc", f64::NAN),
                ("depth", 2.0),
                ("loss", f64::INFINITY),
                ("new", f64::NEG_INFINITY),
                ("rate", 0.000_13),
                ("same", f64::INFINITY),
                ("still", f64::NAN),
            ],
        ),
    ])
    .await;
    let part = model(&change);
    assert_eq!(
        part.summary.split("; ").take(6).collect::<Vec<_>>(),
        [
            "auc 0.93 → NaN",
            "depth NaN → 2",
            "gone 0.5 removed",
            "loss NaN → Infinity",
            "new -Infinity added",
            "rate 0.00012 → 0.00013",
        ]
    );
    assert_eq!(part.severity, Severity::High, "a training that diverged");
    let metrics = part.detail["metrics"].as_array().unwrap();
    assert_eq!(metrics.len(), 6);
    assert_eq!(metrics[0], json!({"name": "auc", "a": 0.93, "b": "NaN"}));
    assert_eq!(metrics[2], json!({"name": "gone", "a": 0.5, "b": null}));
    assert_eq!(
        metrics[3],
        json!({"name": "loss", "a": "NaN", "b": "Infinity"})
    );

    let better = [
        measured("old", &[("auc", 0.9)]),
        measured("new", &[("auc", 0.91)]),
    ];
    let (_, change) = told(better).await;
    assert_eq!(model(&change).severity, Severity::Medium);
}
