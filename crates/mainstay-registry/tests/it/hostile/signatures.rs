//! What is said to be a signature.

use mainstay_core::ErrorKind;
use mainstay_registry::signature::{ColSpec, DataType, ParamSpec, Schema, Signature, TensorSpec};
use proptest::prelude::*;
use serde_json::json;

use super::{Cost, refused};
use crate::fixture::{Fixture, locator, spec};

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
                    let stored = info.record.signature.clone().unwrap();
                    assert_eq!(stored.to_json(), signature.to_json(), "{text}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Invalid, "{text}: {error}");
                    assert!(fixture.registry.list().await.unwrap().is_empty());
                }
            }
        });
    }
}
