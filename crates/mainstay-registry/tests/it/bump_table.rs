//! What asks for which version, row by row: the rules of `docs/formats/model-version.md`.

use mainstay_core::ErrorKind;
use mainstay_registry::signature::{CompatOptions, Signature};
use mainstay_registry::{FileSpec, Level, ModelSpec, Relation};
use serde_json::{Value, json};

use crate::fixture::{Fixture, file, name, node, spec};

use Level::{Major, Minor, Patch};

/// A model whose weights are `weights`, and its signature.
fn with(weights: &str, signature: &Value) -> ModelSpec {
    spec("m", weights).with_signature(Signature::from_json(signature).unwrap())
}

fn plain() -> ModelSpec {
    spec("m", "weights")
}

fn columns(side: &str, columns: &[(&str, &str, bool)]) -> Value {
    let columns = columns.iter().map(|(name, data_type, required)| {
        json!({"name": name, "type": data_type, "required": required})
    });
    json!({side: columns.collect::<Vec<_>>()})
}

fn unnamed(side: &str, types: &[&str]) -> Value {
    let columns = types
        .iter()
        .map(|data_type| json!({"type": data_type, "required": true}));
    json!({side: columns.collect::<Vec<_>>()})
}

fn tensor(side: &str, dtype: &str, shape: &[i64]) -> Value {
    let spec = json!({"dtype": dtype, "shape": shape});
    json!({side: [{"type": "tensor", "tensor-spec": spec}]})
}

fn params(params: &[(&str, &str, Value)]) -> Value {
    let params = params.iter().map(|(name, data_type, default)| {
        json!({"name": name, "type": data_type, "default": default, "shape": null})
    });
    json!({"params": params.collect::<Vec<_>>()})
}

/// Registers one version after another; returns the level and the rules that decided it.
async fn step(before: ModelSpec, after: ModelSpec) -> (Level, Vec<String>) {
    let fixture = Fixture::new().await;
    for data in ["data:d@1", "data:d@2"] {
        fixture.record(data, json!({"rows": data})).await;
    }
    for env in ["env:e@1", "env:e@2"] {
        fixture.record(env, json!({"digest": env})).await;
    }
    for parent in ["one", "two"] {
        fixture.weights("parent", parent).await;
    }
    fixture.register(before).await;
    let registered = fixture.register(after).await;
    let level = registered.bump.unwrap();
    let deciding = registered.reasons.iter();
    let deciding = deciding.filter(|reason| reason.level == level);
    let mut rules: Vec<String> = deciding.map(|reason| reason.rule.clone()).collect();
    rules.dedup();
    (level, rules)
}

/// Rows where only the signature differs.
fn of_signatures() -> Vec<(&'static str, Value, Value, Level, &'static str)> {
    let input = |name, data_type, required| columns("inputs", &[(name, data_type, required)]);
    let inputs = |fields: &[_]| columns("inputs", fields);
    let output = |data_type| columns("outputs", &[("p", data_type, true)]);
    let outputs = |fields: &[_]| columns("outputs", fields);
    let a = ("a", "double", true);
    vec![
        (
            "required input added",
            inputs(&[a]),
            inputs(&[a, ("b", "long", true)]),
            Major,
            "input.required_added",
        ),
        (
            "optional input required",
            input("a", "double", false),
            inputs(&[a]),
            Major,
            "input.required",
        ),
        (
            "input narrowed: double to float",
            inputs(&[a]),
            input("a", "float", true),
            Major,
            "input.type",
        ),
        (
            "input narrowed: long to integer",
            input("a", "long", true),
            input("a", "integer", true),
            Major,
            "input.type",
        ),
        (
            "input of another type",
            input("a", "string", true),
            inputs(&[a]),
            Major,
            "input.type",
        ),
        (
            "input of a fixed length",
            tensor("inputs", "float32", &[-1, 8]),
            tensor("inputs", "float32", &[4, 8]),
            Major,
            "input.shape",
        ),
        (
            "input of another rank",
            tensor("inputs", "float32", &[-1, 8]),
            tensor("inputs", "float32", &[-1, 8, 1]),
            Major,
            "input.shape",
        ),
        (
            "input of another length",
            tensor("inputs", "float32", &[-1, 8]),
            tensor("inputs", "float32", &[-1, 9]),
            Major,
            "input.shape",
        ),
        (
            "input of other elements",
            tensor("inputs", "float32", &[-1]),
            tensor("inputs", "float64", &[-1]),
            Major,
            "input.type",
        ),
        (
            "input removed",
            inputs(&[a, ("b", "long", true)]),
            inputs(&[a]),
            Minor,
            "input.removed",
        ),
        (
            "output removed",
            outputs(&[("p", "float", true), ("q", "float", true)]),
            output("float"),
            Major,
            "output.removed",
        ),
        (
            "output renamed",
            output("float"),
            outputs(&[("q", "float", true)]),
            Major,
            "output.removed",
        ),
        (
            "output widened",
            output("float"),
            output("double"),
            Major,
            "output.type",
        ),
        (
            "output of another type",
            output("string"),
            output("long"),
            Major,
            "output.type",
        ),
        (
            "output optional",
            output("float"),
            outputs(&[("p", "float", false)]),
            Major,
            "output.required",
        ),
        (
            "outputs by position in another order",
            unnamed("outputs", &["long", "string"]),
            unnamed("outputs", &["string", "long"]),
            Major,
            "output.type",
        ),
        (
            "output of any length",
            tensor("outputs", "float32", &[4]),
            tensor("outputs", "float32", &[-1]),
            Major,
            "output.shape",
        ),
        (
            "output added by position",
            unnamed("outputs", &["long"]),
            unnamed("outputs", &["long", "long"]),
            Major,
            "output.added",
        ),
        (
            "parameter of inference removed",
            params(&[("k", "long", json!(1))]),
            json!({"params": []}),
            Major,
            "param.removed",
        ),
        (
            "parameter of inference of another type",
            params(&[("k", "long", json!(1))]),
            params(&[("k", "string", json!("1"))]),
            Major,
            "param.type",
        ),
        (
            "optional input added",
            inputs(&[a]),
            inputs(&[a, ("b", "long", false)]),
            Minor,
            "input.optional_added",
        ),
        (
            "input no longer required",
            inputs(&[a]),
            input("a", "double", false),
            Minor,
            "input.required",
        ),
        (
            "input widened: integer to long",
            input("a", "integer", true),
            input("a", "long", true),
            Minor,
            "input.type_widened",
        ),
        (
            "input widened: float to double",
            input("a", "float", true),
            input("a", "double", true),
            Minor,
            "input.type_widened",
        ),
        (
            "input widened: integer to double",
            input("a", "integer", true),
            input("a", "double", true),
            Minor,
            "input.type_widened",
        ),
        (
            "input of any length",
            tensor("inputs", "float32", &[4]),
            tensor("inputs", "float32", &[-1]),
            Minor,
            "input.shape",
        ),
        (
            "output added by name",
            output("float"),
            outputs(&[("p", "float", true), ("q", "float", true)]),
            Minor,
            "output.added",
        ),
        (
            "parameter of inference added",
            json!({"params": []}),
            params(&[("k", "long", json!(1))]),
            Minor,
            "param.added",
        ),
        (
            "parameter of inference with another default",
            params(&[("k", "long", json!(1))]),
            params(&[("k", "long", json!(2))]),
            Minor,
            "param.default",
        ),
    ]
}

/// Rows where the signature stays.
fn of_the_rest() -> Vec<(&'static str, ModelSpec, ModelSpec, Level, &'static str)> {
    let json_file = |path: &str, content: &str| file(path, content);
    let typed =
        |media_type: &str| -> FileSpec { file("model.bin", "weights").with_media_type(media_type) };
    let of_file = |file: FileSpec| {
        let mut spec = plain();
        spec.files = vec![file];
        spec
    };
    let sides = || columns("inputs", &[("a", "double", true)]);
    vec![
        (
            "signature stated",
            plain(),
            with("weights", &sides()),
            Major,
            "signature.presence",
        ),
        (
            "signature no longer stated",
            with("weights", &sides()),
            plain(),
            Major,
            "signature.presence",
        ),
        (
            "another loader",
            of_file(typed("application/x-one")),
            of_file(typed("application/x-two")),
            Major,
            "artifact.format",
        ),
        (
            "other weights",
            plain(),
            spec("m", "others"),
            Minor,
            "artifact.weights",
        ),
        (
            "another tokenizer or label map",
            plain().with_file(json_file("labels.json", "[1]")),
            plain().with_file(json_file("labels.json", "[2]")),
            Minor,
            "artifact.weights",
        ),
        (
            "other data",
            plain().with_data(name("train"), node("data:d@1")),
            plain().with_data(name("train"), node("data:d@2")),
            Minor,
            "data.changed",
        ),
        (
            "another hyperparameter",
            plain().with_parameter("depth", 6),
            plain().with_parameter("depth", 7),
            Minor,
            "parameter.changed",
        ),
        (
            "another seed",
            plain().with_seed("numpy", 1),
            plain().with_seed("numpy", 2),
            Minor,
            "seed.changed",
        ),
        (
            "another parent",
            plain().with_parent(node("model:parent@1.0.0"), Relation::FineTune),
            plain().with_parent(node("model:parent@1.1.0"), Relation::FineTune),
            Minor,
            "parents.changed",
        ),
        (
            "a parent that weighs more",
            plain().with_merged(node("model:parent@1.0.0"), 0.25),
            plain().with_merged(node("model:parent@1.0.0"), 0.5),
            Minor,
            "parent_weight.changed",
        ),
        (
            "the same bytes, packed otherwise",
            plain(),
            of_file(file("weights/model.bin", "weights")),
            Patch,
            "artifact.layout",
        ),
        (
            "another document",
            plain(),
            plain().with_file(file("README.md", "read me")),
            Patch,
            "artifact.documentation",
        ),
        (
            "another commit, and the same bytes",
            plain().with_code(name("repo"), name("c1")),
            plain().with_code(name("repo"), name("c2")),
            Patch,
            "code.changed",
        ),
        (
            "another environment, and the same bytes",
            plain().with_environment(node("env:e@1")),
            plain().with_environment(node("env:e@2")),
            Patch,
            "environment.changed",
        ),
    ]
}

#[tokio::test]
async fn every_row_asks_for_the_version_that_the_table_says() {
    let of_signatures = of_signatures().into_iter();
    let of_signatures = of_signatures.map(|(row, before, after, level, rule)| {
        let [before, after] = [before, after].map(|side| with("weights", &side));
        (row, before, after, level, rule)
    });
    for (row, before, after, level, rule) in of_signatures.chain(of_the_rest()) {
        let (found, rules) = step(before, after).await;
        assert_eq!(
            (found, &rules[..]),
            (level, &[rule.to_owned()][..]),
            "{row}"
        );
    }
}

#[tokio::test]
async fn an_input_that_serving_code_would_refuse_is_major_to_remove() {
    let side = |fields: &[_]| columns("inputs", fields);
    let both = side(&[("a", "double", true), ("b", "long", true)]);
    let strict = CompatOptions::default().with_strict_inputs(true);
    let after = with("weights", &side(&[("a", "double", true)])).with_compat(strict);
    let (level, rules) = step(with("weights", &both), after).await;
    assert_eq!(
        (level, &rules[..]),
        (Major, &["input.removed".to_owned()][..])
    );
}

#[tokio::test]
async fn what_is_said_about_a_version_asks_for_none() {
    let fixture = Fixture::new().await;
    fixture.register(plain()).await;
    let talk = plain()
        .with_metric("auc", 0.9)
        .with_tag("team", "risk")
        .with_description("better described")
        .with_owner("ada")
        .with_purpose("to show");
    let refused = fixture.registry.register(talk).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn the_heaviest_of_several_differences_decides() {
    let before = with("one", &columns("outputs", &[("p", "float", true)]));
    let after = with("two", &columns("outputs", &[("q", "float", true)]));
    let after = after.with_parameter("depth", 7);
    let (level, rules) = step(before, after).await;
    assert_eq!(
        (level, &rules[..]),
        (Major, &["output.removed".to_owned()][..])
    );
}
