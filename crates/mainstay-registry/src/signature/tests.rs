use mainstay_core::{ErrorKind, canon};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::level::{Level, Reasons};

fn signature(value: &Value) -> Signature {
    Signature::from_json(value).unwrap()
}

fn reasons(before: &Signature, after: &Signature, strict: bool) -> Vec<(Level, String)> {
    let mut reasons = Reasons::default();
    let options = CompatOptions::default().with_strict_inputs(strict);
    compare(Some(before), Some(after), options, &mut reasons);
    reasons
        .0
        .into_iter()
        .map(|reason| (reason.level, format!("{} {}", reason.rule, reason.path)))
        .collect()
}

fn level(before: &Signature, after: &Signature, strict: bool) -> Option<Level> {
    let reasons = reasons(before, after, strict);
    reasons.into_iter().map(|(level, _)| level).max()
}

#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "every caller makes its values in place"
)]
fn check(before: Value, after: Value, expected: &[(Level, &str)]) {
    let found = reasons(&signature(&before), &signature(&after), false);
    let found: Vec<_> = found
        .iter()
        .map(|(level, reason)| (*level, reason.as_str()))
        .collect();
    assert_eq!(found, expected);
}

fn column(name: &str, data_type: &str) -> Value {
    json!({"name": name, "type": data_type, "required": true})
}

fn optional(name: &str, data_type: &str) -> Value {
    json!({"name": name, "type": data_type, "required": false})
}

fn tensor(dtype: &str, shape: &[i64]) -> Value {
    json!({"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}})
}

use Level::{Major, Minor};

#[test]
fn asking_for_more_is_major_and_asking_for_less_is_minor() {
    let inputs = |columns: Value| json!({"inputs": columns});
    let old = || inputs(json!([column("a", "double")]));
    check(
        old(),
        inputs(json!([column("a", "double"), column("b", "long")])),
        &[(Major, "input.required_added inputs.b")],
    );
    check(
        old(),
        inputs(json!([column("a", "double"), optional("b", "long")])),
        &[(Minor, "input.optional_added inputs.b")],
    );
    check(
        old(),
        inputs(json!([optional("a", "double")])),
        &[(Minor, "input.required inputs.a")],
    );
    check(
        inputs(json!([optional("a", "double")])),
        old(),
        &[(Major, "input.required inputs.a")],
    );
    check(
        old(),
        inputs(json!([])),
        &[(Minor, "input.removed inputs.a")],
    );
}

#[test]
fn an_input_may_be_widened_as_mlflow_widens_and_not_narrowed() {
    let one = |data_type: &str| json!({"inputs": [column("a", data_type)]});
    for (narrow, wide) in [
        ("integer", "long"),
        ("integer", "double"),
        ("float", "double"),
        ("string", "any"),
    ] {
        check(
            one(narrow),
            one(wide),
            &[(Minor, "input.type_widened inputs.a")],
        );
        check(one(wide), one(narrow), &[(Major, "input.type inputs.a")]);
    }
    for (from, to) in [
        ("long", "double"),
        ("integer", "float"),
        ("string", "datetime"),
    ] {
        check(one(from), one(to), &[(Major, "input.type inputs.a")]);
    }
}

#[test]
fn promising_less_is_major_and_promising_more_is_minor() {
    let outputs = |columns: Value| json!({"outputs": columns});
    let old = || outputs(json!([column("p", "float")]));
    check(
        old(),
        outputs(json!([column("p", "double")])),
        &[(Major, "output.type outputs.p")],
    );
    check(
        old(),
        outputs(json!([optional("p", "float")])),
        &[(Major, "output.required outputs.p")],
    );
    check(
        old(),
        outputs(json!([column("q", "float")])),
        &[
            (Major, "output.removed outputs.p"),
            (Minor, "output.added outputs.q"),
        ],
    );
    check(
        old(),
        outputs(json!([column("p", "float"), column("q", "long")])),
        &[(Minor, "output.added outputs.q")],
    );
}

#[test]
fn named_columns_may_change_places_and_unnamed_ones_may_not() {
    let named =
        |names: [&str; 2]| json!({"inputs": [column(names[0], "long"), column(names[1], "long")]});
    check(named(["a", "b"]), named(["b", "a"]), &[]);
    let unnamed = |types: [&str; 2]| json!({"outputs": [{"type": types[0]}, {"type": types[1]}]});
    check(
        unnamed(["string", "double"]),
        unnamed(["double", "string"]),
        &[
            (Major, "output.type outputs.[0]"),
            (Major, "output.type outputs.[1]"),
        ],
    );
    check(
        json!({"outputs": [{"type": "string"}]}),
        unnamed(["string", "double"]),
        &[(Major, "output.added outputs.[1]")],
    );
    check(
        json!({"inputs": [{"type": "string"}]}),
        json!({"inputs": [column("a", "string")]}),
        &[(Major, "input.naming inputs")],
    );
}

#[test]
fn a_tensor_may_take_more_shapes_and_give_fewer() {
    let inputs = |shape: &[i64]| json!({"inputs": [tensor("float32", shape)]});
    check(
        inputs(&[1, 784]),
        inputs(&[-1, 784]),
        &[(Minor, "input.shape inputs.[0]")],
    );
    for (from, to) in [
        (&[-1, 784][..], &[1, 784][..]),
        (&[1, 784], &[784]),
        (&[1, 784], &[1, 785]),
    ] {
        check(
            inputs(from),
            inputs(to),
            &[(Major, "input.shape inputs.[0]")],
        );
    }
    let outputs = |shape: &[i64]| json!({"outputs": [tensor("float32", shape)]});
    check(
        outputs(&[-1, 3]),
        outputs(&[1, 3]),
        &[(Minor, "output.shape outputs.[0]")],
    );
    check(
        outputs(&[1, 3]),
        outputs(&[-1, 3]),
        &[(Major, "output.shape outputs.[0]")],
    );
    check(
        json!({"inputs": [tensor("float32", &[3])]}),
        json!({"inputs": [tensor("float64", &[3])]}),
        &[(Major, "input.type inputs.[0]")],
    );
    check(
        json!({"inputs": [tensor("float32", &[3])]}),
        json!({"inputs": [{"type": "float"}]}),
        &[(Major, "input.kind inputs")],
    );
}

#[test]
fn nested_types_follow_the_side_they_are_on() {
    let inside = |side: &str, properties: Value| json!({side: [{"name": "o", "type": "array", "items": {"type": "object", "properties": properties}}]});
    let one = || json!({"x": {"type": "integer", "required": true}});
    let two = || json!({"x": {"type": "long", "required": true}, "y": {"type": "string", "required": false}});
    check(
        inside("inputs", one()),
        inside("inputs", two()),
        &[
            (Minor, "input.type_widened inputs.o[].x"),
            (Minor, "input.optional_added inputs.o[].y"),
        ],
    );
    check(
        inside("outputs", one()),
        inside("outputs", two()),
        &[
            (Major, "output.type outputs.o[].x"),
            (Minor, "output.added outputs.o[].y"),
        ],
    );
}

#[test]
fn parameters_keep_their_name_type_and_shape() {
    let params = |params: Value| json!({"params": params});
    let k = |data_type: &str, default: Value| {
        params(json!([{"name": "k", "type": data_type, "default": default, "shape": null}]))
    };
    check(
        k("long", json!(1)),
        k("long", json!(2)),
        &[(Minor, "param.default params.k")],
    );
    check(
        k("long", json!(1)),
        k("double", json!(1)),
        &[(Major, "param.type params.k")],
    );
    check(
        k("long", json!(1)),
        params(json!([])),
        &[(Major, "param.removed params.k")],
    );
    check(
        params(json!([])),
        k("long", json!(1)),
        &[(Minor, "param.added params.k")],
    );
}

#[test]
fn stating_a_signature_or_no_longer_is_major() {
    let stated = signature(&json!({"inputs": [column("a", "long")]}));
    for (before, after) in [(None, Some(&stated)), (Some(&stated), None)] {
        let mut reasons = Reasons::default();
        compare(before, after, CompatOptions::default(), &mut reasons);
        assert_eq!(reasons.0[0].level, Major);
        assert_eq!(reasons.0[0].rule, "signature.presence");
    }
    check(
        json!({}),
        json!({"outputs": []}),
        &[(Major, "output.presence outputs")],
    );
}

#[test]
fn strict_serving_makes_removing_an_input_major() {
    let before = signature(&json!({"inputs": [column("a", "long"), column("b", "long")]}));
    let after = signature(&json!({"inputs": [column("a", "long")]}));
    assert_eq!(level(&before, &after, false), Some(Minor));
    assert_eq!(level(&before, &after, true), Some(Major));
}

#[test]
fn what_mlflow_writes_is_read_and_written_back() {
    // The `signature` member of an MLmodel file, as mlflow 3 writes it for a DataFrame.
    let mlflow = json!({
        "inputs": r#"[{"type":"double","name":"bill_length_mm","required":true},{"type":"string","name":"island","required":false}]"#,
        "outputs": r#"[{"type":"tensor","tensor-spec":{"dtype":"object","shape":[-1]}}]"#,
        "params": r#"[{"name":"temperature","type":"double","default":0.5,"shape":null}]"#,
    });
    let read = signature(&mlflow);
    assert_eq!(Signature::from_json(&read.to_mlflow()).unwrap(), read);
    let same = |member: &str| {
        let parsed = |value: &Value| -> Value {
            serde_json::from_str(value[member].as_str().unwrap()).unwrap()
        };
        assert_eq!(parsed(&read.to_mlflow()), parsed(&mlflow));
    };
    ["inputs", "outputs", "params"].into_iter().for_each(same);
    let nothing = signature(&json!({"inputs": null, "outputs": null, "params": null}));
    assert_eq!(nothing, Signature::default());
    assert_eq!(nothing.to_mlflow()["inputs"], Value::Null);
}

#[test]
fn columns_of_older_mlflow_say_optional() {
    let read = signature(&json!({"inputs": [{"name": "a", "type": "long", "optional": true}]}));
    let Some(Schema::Columns(columns)) = read.inputs else {
        panic!("columns expected");
    };
    assert!(!columns[0].required);
}

#[test]
fn the_error_names_the_member_that_is_wrong() {
    for (bad, at) in [
        (
            json!({"inputs": [{"name": "a", "type": "doubel"}]}),
            "inputs[0].type",
        ),
        (json!({"inputs": [{"name": "a"}]}), "inputs[0].type"),
        (json!({"inputs": "[{]"}), "inputs"),
        (json!({"inputs": {"a": 1}}), "inputs"),
        (
            json!({"outputs": [column("a", "long"), {"type": "long"}]}),
            "outputs",
        ),
        (
            json!({"outputs": [column("a", "long"), column("a", "long")]}),
            "outputs",
        ),
        (
            json!({"outputs": [tensor("float32", &[-2])]}),
            "outputs[0].tensor-spec.shape",
        ),
        (json!({"outputs": [{"type": "array"}]}), "outputs[0].items"),
        (json!({"params": [{"type": "long"}]}), "params[0].name"),
        (json!({"extra": 1}), "signature"),
    ] {
        let error = Signature::from_json(&bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
        let context: Vec<_> = error.contexts().collect();
        assert!(context.contains(&("at", at)), "{error}");
    }
}

#[test]
fn a_bomb_of_nested_types_is_refused() {
    let mut bomb = json!({"type": "long"});
    for _ in 0..60 {
        bomb = json!({"type": "array", "items": bomb});
    }
    let error = Signature::from_json(&json!({"inputs": [bomb]})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = format!(r#"{{"inputs": "{}"}}"#, "[".repeat(1_000_000));
    assert_eq!(
        text.parse::<Signature>().unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

fn any_type() -> impl Strategy<Value = DataType> {
    let scalar = prop_oneof![
        Just(DataType::Integer),
        Just(DataType::Long),
        Just(DataType::Float),
        Just(DataType::Double),
        Just(DataType::String),
        Just(DataType::Any),
    ];
    scalar.prop_recursive(2, 6, 2, |inner| {
        let property =
            ("[ab]", inner.clone(), any::<bool>()).prop_map(|(name, data_type, required)| {
                Property {
                    name,
                    data_type,
                    required,
                }
            });
        prop_oneof![
            inner.clone().prop_map(|t| DataType::Array(Box::new(t))),
            inner.prop_map(|t| DataType::Map(Box::new(t))),
            proptest::collection::vec(property, 0..3).prop_map(|mut properties| {
                properties.sort_by(|a, b| a.name.cmp(&b.name));
                properties.dedup_by(|a, b| a.name == b.name);
                DataType::Object(properties)
            }),
        ]
    })
}

fn any_columns() -> impl Strategy<Value = Schema> {
    let column = (any_type(), any::<bool>());
    let columns = proptest::collection::btree_map("[abc]", column, 0..3);
    (columns, any::<bool>()).prop_map(|(columns, named)| {
        let column = |(name, (data_type, required))| ColSpec {
            name: Some(name).filter(|_| named),
            data_type,
            required,
        };
        Schema::Columns(columns.into_iter().map(column).collect())
    })
}

fn any_tensors() -> impl Strategy<Value = Schema> {
    let shape = proptest::collection::vec(-1_i64..3, 0..3);
    let tensors = proptest::collection::btree_map("[ab]", ("float(32|64)", shape), 1..3);
    (tensors, any::<bool>()).prop_map(|(tensors, named)| {
        let tensor = |(name, (dtype, shape))| TensorSpec {
            name: Some(name).filter(|_| named),
            dtype,
            shape,
        };
        Schema::Tensors(tensors.into_iter().map(tensor).collect())
    })
}

fn any_signature() -> impl Strategy<Value = Signature> {
    let schema =
        || proptest::option::weighted(0.9, prop_oneof![3 => any_columns(), 1 => any_tensors()]);
    let params = proptest::collection::btree_map("[kn]", (any_type(), 0..2_i32), 0..2);
    (schema(), schema(), params).prop_map(|(inputs, outputs, params)| {
        let param = |(name, (data_type, default))| ParamSpec::new(name, data_type, json!(default));
        Signature::new(inputs, outputs).with_params(params.into_iter().map(param).collect())
    })
}

/// One step away from `from`, so that small differences are tried as well as large ones.
fn near(from: Signature) -> impl Strategy<Value = Signature> {
    (any_signature(), 0..4_u8).prop_map(move |(other, keep)| {
        let mut near = from.clone();
        match keep {
            0 => near.inputs = other.inputs,
            1 => near.outputs = other.outputs,
            2 => near.params = other.params,
            _ => near = other,
        }
        near
    })
}

proptest! {
    #[test]
    fn every_signature_survives_both_spellings(signature in any_signature()) {
        prop_assert_eq!(&Signature::from_json(&signature.to_json()).unwrap(), &signature);
        prop_assert_eq!(&Signature::from_json(&signature.to_mlflow()).unwrap(), &signature);
        let stored = canon::to_vec(&signature).unwrap();
        prop_assert_eq!(&canon::from_slice::<Signature>(&stored).unwrap(), &signature);
    }

    #[test]
    fn nothing_differs_from_itself(signature in any_signature(), strict: bool) {
        prop_assert_eq!(level(&signature, &signature, strict), None);
    }

    #[test]
    fn two_steps_weigh_no_less_than_the_way_at_once(
        (a, b, c) in any_signature().prop_flat_map(|a| {
            let b = near(a.clone());
            (Just(a), b).prop_flat_map(|(a, b)| (Just(a), Just(b.clone()), near(b)))
        })
    ) {
        // Without strict inputs an ignored input can come back with another meaning.
        let [whole, first, second] = [(&a, &c), (&a, &b), (&b, &c)].map(|(x, y)| level(x, y, true));
        prop_assert!(whole <= first.max(second), "{:?} > {:?}, {:?}", whole, first, second);
    }

    #[test]
    fn strictness_never_makes_a_change_lighter(a in any_signature(), b in any_signature()) {
        prop_assert!(level(&a, &b, false) <= level(&a, &b, true));
        prop_assert_eq!(level(&a, &b, false).is_some(), level(&a, &b, true).is_some());
    }

    #[test]
    fn any_text_is_a_signature_or_refused(text in ".{0,200}") {
        drop(text.parse::<Signature>());
    }

    #[test]
    fn damaged_signatures_are_read_or_refused(
        signature in any_signature(), at: prop::sample::Index, with in "[\\[\\]{}\",:a0-]{0,3}"
    ) {
        let text = signature.to_mlflow().to_string();
        let cut: Vec<char> = text.chars().collect();
        let at = at.index(cut.len());
        let damaged: String = cut[..at].iter().chain(with.chars().collect::<Vec<_>>().iter()).chain(&cut[at + 1..]).collect();
        drop(damaged.parse::<Signature>());
    }
}
