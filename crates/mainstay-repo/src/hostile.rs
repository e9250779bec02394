//! Records as nobody writes them, for the tests of what reads them.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

fn any_json() -> impl Strategy<Value = Json> {
    let text = vec(any::<char>(), 0..8).prop_map(String::from_iter);
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (0..3_u64).prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        text.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        let object = btree_map(text.clone(), inner.clone(), 0..4);
        prop_oneof![
            vec(inner, 0..4).prop_map(Json::from),
            object.prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// Records like `sample`, with some members replaced, taken out, or put in.
pub(crate) fn near(sample: Json) -> impl Strategy<Value = Json> {
    let Json::Object(sample) = sample else {
        panic!("a record is an object");
    };
    let mut names: Vec<String> = sample.keys().cloned().collect();
    names.push("more".to_owned());
    let changes = vec((select(names), proptest::option::of(any_json())), 0..3);
    changes.prop_map(move |changes| {
        let mut record = sample.clone();
        for (name, value) in changes {
            match value {
                Some(value) => record.insert(name, value),
                None => record.remove(&name),
            };
        }
        Json::Object(record)
    })
}

/// Bytes like `sample`, with a bit flipped, a part taken out, or a part there twice; or any bytes.
pub(crate) fn bytes_near(sample: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let near = (any::<[Index; 2]>(), 0..4_u8).prop_map(move |(places, change)| {
        let mut at = places.map(|place| place.index(sample.len()));
        at.sort_unstable();
        let (first, last) = (&sample[..at[1]], &sample[at[0]..]);
        match change {
            0 => [&sample[..at[0]], &sample[at[1]..]].concat(),
            1 => [first, last].concat(),
            _ => {
                let mut flipped = sample.clone();
                flipped[at[0]] ^= 1 << (at[1] % 8);
                flipped
            }
        }
    });
    prop_oneof![4 => near, 1 => vec(any::<u8>(), 0..300)]
}
