use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn check(before: &Value, after: &Value, expected: &[&str]) {
    let found: Vec<String> = diff(before, after)
        .differences
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn members_and_elements_are_compared_where_they_stand() {
    check(
        &json!({"a": 1, "b": {"c": [1, 2], "d": null}, "gone": true}),
        &json!({"a": 1.0, "b": {"c": [1, 3, 4], "d": null}, "new": "x"}),
        &[
            "b/c/1 2 → 3",
            "b/c/2 4 added",
            "gone true removed",
            "new x added",
        ],
    );
    check(&json!(1), &json!("1"), &["record 1 → 1"]);
    check(&json!({"a/b~c": 1}), &json!({}), &["a~1b~0c 1 removed"]);
}

#[test]
fn long_lists_of_differences_and_large_values_are_cut() {
    let many = |n: i32| -> Value { (0..200).map(|i| i + n).collect() };
    let found = diff(&many(0), &many(1));
    assert_eq!(found.differences.len(), MAX_DIFFERENCES);
    assert_eq!(found.omitted, 200 - MAX_DIFFERENCES as u64);

    let found = diff(
        &json!({}),
        &json!({"t": "x".repeat(10_000), "l": many(0), "o": {"i": {}}}),
    );
    let after = |index: usize| found.differences[index].after.clone().unwrap();
    assert_eq!(after(0), json!("[200 elements]"));
    assert_eq!(after(1), json!("{1 members}"));
    assert_eq!(after(2).as_str().unwrap().chars().count(), MAX_TEXT + 1);
    assert!(found.differences[2].to_string().chars().count() < 60);
}

#[test]
fn deep_values_are_compared_as_a_whole_below_a_depth() {
    let deep = |leaf: i32| (0..100).fold(json!(leaf), |inner, _| json!([inner]));
    let found = diff(&deep(1), &deep(2));
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].path.matches('/').count(), MAX_DEPTH);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3_i64).prop_map(Value::from),
        "[a-b/~]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-c/~]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn there_is_a_difference_exactly_when_the_values_differ(a in any_json(), b in any_json()) {
        prop_assert!(diff(&a, &a).is_empty());
        prop_assert_eq!(diff(&a, &b).is_empty(), a == b);
    }

    #[test]
    fn a_path_leads_to_what_was_and_what_is_there(a in any_json(), b in any_json()) {
        for difference in diff(&a, &b).differences {
            prop_assert_eq!(a.pointer(&difference.path).map(short), difference.before);
            prop_assert_eq!(b.pointer(&difference.path).map(short), difference.after);
        }
    }
}
