use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn the_examples_of_the_rfc_hold() {
    // RFC 8785, sections 3.2.2 and 3.2.3.
    let value: Value = serde_json::from_str(
        r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
           "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
    )
    .unwrap();
    let expected = "{\"literals\":[null,true,false],\
        \"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
        \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(
        String::from_utf8(to_vec(&value).unwrap()).unwrap(),
        expected
    );

    let keys = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
    let order: Vec<String> = String::from_utf8(to_vec(&keys).unwrap())
        .unwrap()
        .split(',')
        .map(|member| member.rsplit(':').next().unwrap().replace('}', ""))
        .collect();
    assert_eq!(order, ["2", "4", "6", "7", "1", "5", "3"]);
}

#[test]
fn numbers_without_one_meaning_are_refused() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for value in [json_of(bad), to_vec(&[bad]), to_vec(&Some((1, bad)))] {
            assert_eq!(value.unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
    for good in [(1_u64 << 53) - 1, 1 << 53, 100_000_000_000_000_000] {
        assert!(to_vec(&good).is_ok(), "{good}");
    }
    for bad in [(1_u64 << 53) + 1, 1 << 60, u64::MAX] {
        assert!(to_vec(&bad).is_err(), "{bad}");
    }
    assert!(to_vec(&-9_007_199_254_740_993_i64).is_err());
    assert!(to_vec(&1e300).is_ok());
}

fn json_of(number: f64) -> Result<Vec<u8>> {
    to_vec(&BTreeMap::from([("metric", number)]))
}

#[test]
fn other_spellings_of_the_same_value_are_corrupt() {
    for bad in [
        r#"{"a": 1}"#,
        r#"{"b":1,"a":2}"#,
        r#"{"a":1.0}"#,
        r#"{"a":1,"a":1}"#,
        "{",
        "",
    ] {
        let error = from_slice::<Value>(bad.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad}");
    }
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    let bomb = "[".repeat(1_000_000);
    assert_eq!(
        from_slice::<Value>(bomb.as_bytes()).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

proptest! {
    #[test]
    fn encoding_then_decoding_gives_the_value_back(
        map in proptest::collection::btree_map(".*", proptest::num::f64::NORMAL, 0..8)
    ) {
        let bytes = to_vec(&map).unwrap();
        prop_assert_eq!(from_slice::<BTreeMap<String, f64>>(&bytes).unwrap(), map);
    }

    #[test]
    fn what_is_encoded_reads_back_as_any_json(number in proptest::num::f64::NORMAL, n: i64) {
        for bytes in [to_vec(&number), to_vec(&n)].into_iter().flatten() {
            let value: Value = from_slice(&bytes).unwrap();
            prop_assert_eq!(to_vec(&value).unwrap(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused_without_panic(bytes: Vec<u8>) {
        drop(from_slice::<Value>(&bytes));
    }

    #[test]
    fn every_value_is_encoded_as_another_encoder_does(value in any_value(4)) {
        prop_assert_eq!(to_vec(&value).unwrap(), serde_json_canonicalizer::to_vec(&value).unwrap());
    }

    #[test]
    fn every_type_is_encoded_as_another_encoder_does(
        shape in any_shape(), n in -(1_i64 << 53) + 1..1 << 53, f: f32, small: (i8, u16), names: HashSet<String>,
    ) {
        prop_assume!(f.is_finite());
        let record = Record {
            shape: (shape.clone(), Some(shape)),
            numbers: (n, n.unsigned_abs(), i128::from(n), f, small.0, small.1),
            by_number: names.iter().zip(0_u8..).map(|(name, n)| (n, name.clone())).collect(),
            by_word: [(true, 'z'), (false, '\u{1f600}')].into(),
            bytes: Bytes(vec![0, 255]),
            by_name: names.into_iter().map(|name| (name, true)).collect(),
        };
        prop_assert_eq!(to_vec(&record).unwrap(), serde_json_canonicalizer::to_vec(&record).unwrap());
    }
}

/// Text with what escapes, surrogates and combining orders can do.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z\"\\\\/!~]{0,3}",
        "[\u{0}-\u{20}\u{7f}\u{e9}\u{e000}-\u{ffff}\u{10000}-\u{10010}]{0,3}",
        ".*"
    ]
}

fn any_value(depth: u32) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1 << 53).prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(depth, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any_text(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[derive(Debug, Clone, serde::Serialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i32, i32),
    Area { width: u32, height: u32 },
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        proptest::num::f64::NORMAL.prop_map(Shape::Circle),
        any::<(i32, i32)>().prop_map(|(x, y)| Shape::Line(x, y)),
        any::<(u32, u32)>().prop_map(|(width, height)| Shape::Area { width, height }),
    ]
}

#[derive(serde::Serialize)]
struct Record {
    shape: (Shape, Option<Shape>),
    numbers: (i64, u64, i128, f32, i8, u16),
    by_number: BTreeMap<u8, String>,
    by_word: BTreeMap<bool, char>,
    bytes: Bytes,
    /// In no order.
    #[serde(flatten)]
    by_name: HashMap<String, bool>,
}

struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

#[test]
fn a_member_has_one_name_and_a_name_is_text() {
    #[derive(serde::Serialize)]
    struct Twice {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    let twice = Twice {
        a: 1,
        rest: [("a".to_owned(), 2)].into(),
    };
    let error = to_vec(&twice).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(why, "two members are named \"a\"");
    for bad in [
        to_vec(&BTreeMap::from([((1, 2), 3)])),
        to_vec(&BTreeMap::from([((), 3)])),
        to_vec(&BTreeMap::from([(BTreeMap::from([("a", 1)]), 3)])),
    ] {
        assert_eq!(bad.unwrap_err().kind(), ErrorKind::Invalid);
    }
}
