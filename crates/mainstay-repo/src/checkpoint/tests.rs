use bytes::Bytes;
use mainstay_core::{ErrorKind, Result, Timestamp, canon};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::item::{Held, Item, KeyItem, RefItem};
use super::root::{Root, Slice};
use super::shard::{Earlier, cut, decode};
use super::*;
use crate::seal::{self, Format};
use crate::view::KeyUse;
use crate::{RefState, Value};

fn state(seq: u64, text: &str) -> RefState {
    RefState {
        value: Some(Value::new("note", &text).unwrap()),
        generation: 1,
        seq,
        time: Timestamp::UNIX_EPOCH,
    }
}

fn refs(count: usize) -> Vec<(mainstay_core::RefPath, RefState)> {
    (0..count)
        .map(|n| {
            (
                format!("model/m{n:06}/version/1").parse().unwrap(),
                state(1, "x"),
            )
        })
        .collect()
}

type Refs = [(mainstay_core::RefPath, RefState)];

fn items(refs: &Refs) -> Vec<RefItem<'_>> {
    refs.iter()
        .map(|(path, state)| RefItem::new(path, state))
        .collect()
}

fn shards(refs: &Refs) -> Vec<(Slice, Bytes)> {
    cut(items(refs), &Earlier::default())
        .map(|shard| shard.map(|(slice, bytes)| (slice, bytes.unwrap())))
        .collect::<Result<_>>()
        .unwrap()
}

fn root(slices: &[Slice]) -> Root {
    Root {
        format: Format,
        seq: 9,
        entry: Digest::of(b"entry"),
        time: Timestamp::UNIX_EPOCH,
        refs: slices.to_vec(),
        keys: Vec::new(),
    }
}

fn read(slice: &Slice, bytes: &[u8]) -> Result<Vec<RefItem<'static>>> {
    decode(&root(std::slice::from_ref(slice)).anchor(), slice, bytes)
}

#[test]
fn shards_are_canonical_and_hold_every_item_in_order() {
    let refs = refs(3_000);
    let mut read_back = Vec::new();
    for (slice, bytes) in shards(&refs) {
        let json: Json = canon::from_slice(&bytes).unwrap();
        assert_eq!(json["format"], 1);
        read_back.extend(
            read(&slice, &bytes)
                .unwrap()
                .into_iter()
                .map(Held::into_held),
        );
    }
    assert_eq!(read_back, refs);
}

#[test]
fn one_changed_ref_changes_one_shard_and_an_added_one_few() {
    let mut refs = refs(20_000);
    let before: Vec<Digest> = shards(&refs)
        .into_iter()
        .map(|(slice, _)| slice.digest)
        .collect();
    assert!((40..200).contains(&before.len()), "{}", before.len());
    let new = |refs: &[_]| {
        let shards = shards(refs).into_iter();
        shards
            .filter(|(slice, _)| !before.contains(&slice.digest))
            .count()
    };
    refs[7_777].1 = state(2, "y");
    assert_eq!(new(&refs), 1);
    refs.insert(
        7_000,
        ("model/m006999x/version/1".parse().unwrap(), state(2, "y")),
    );
    assert!(new(&refs) <= 4, "{}", new(&refs));
}

#[test]
fn large_items_make_small_shards() {
    let text = "x".repeat(300 << 10);
    let refs: Vec<_> = (0..20)
        .map(|n| (format!("a/b{n:02}").parse().unwrap(), state(1, &text)))
        .collect();
    let shards = shards(&refs);
    assert!(shards.iter().all(|(_, bytes)| bytes.len() <= 1 << 20));
    assert!(shards.len() >= 7);
    let huge = [("a/b".parse().unwrap(), state(1, &"x".repeat(15 << 20)))];
    assert_eq!(self::shards(&huge).len(), 1);
}

#[test]
fn items_that_break_a_rule_are_corrupt() {
    let item = json!({"ref": "a/b", "generation": 1, "seq": 1, "time": "1970-01-01T00:00:00.000000Z", "value": null});
    let with = |at: &str, value: Json| {
        let mut item = item.clone();
        item[at] = value;
        item
    };
    let check = |items: Json, first: &str, count: u64| {
        let bytes = canon::to_vec(&json!({"format": 1, "items": items})).unwrap();
        let slice = Slice {
            digest: Digest::of(&bytes),
            first: first.into(),
            count,
        };
        read(&slice, &bytes).map_err(|error| error.kind())
    };
    assert!(check(json!([item]), "a/b", 1).is_ok());
    for (at, value) in [
        ("generation", json!(0)),
        ("seq", json!(0)),
        ("seq", json!(10)),
        ("time", json!("1970-01-01T00:00:01.000000Z")),
        ("value", json!({})),
        ("more", json!(1)),
    ] {
        assert_eq!(
            check(json!([with(at, value)]), "a/b", 1).unwrap_err(),
            ErrorKind::Corrupt,
            "{at}"
        );
    }
    assert_eq!(
        check(json!([item]), "a/c", 1).unwrap_err(),
        ErrorKind::Corrupt
    );
    assert_eq!(
        check(json!([item]), "a/b", 2).unwrap_err(),
        ErrorKind::Corrupt
    );
    assert_eq!(check(json!([]), "a/b", 0).unwrap_err(), ErrorKind::Corrupt);
}

#[test]
fn a_root_round_trips_and_says_which_entry_it_is_of() {
    let slices: Vec<Slice> = shards(&refs(10))
        .into_iter()
        .map(|(slice, _)| slice)
        .collect();
    let root = root(&slices);
    let bytes = root.encode().unwrap();
    assert_eq!(Root::decode(9, &bytes).unwrap(), root);
    let error = Root::decode(8, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error
            .to_string()
            .contains("checkpoint/00000000000000000008"),
        "{error}"
    );
    let newer = seal::encode(&json!({"format": 2})).unwrap();
    assert_eq!(
        Root::decode(9, &newer).unwrap_err().kind(),
        ErrorKind::Incompatible
    );
}

#[test]
fn a_root_that_names_a_shard_twice_or_out_of_order_is_corrupt() {
    let slices: Vec<Slice> = shards(&refs(3_000))
        .into_iter()
        .map(|(slice, _)| slice)
        .collect();
    let [a, b, ..] = &slices[..] else {
        unreachable!()
    };
    let unnamed = Slice {
        first: "?".into(),
        ..a.clone()
    };
    for slices in [
        vec![a.clone(), a.clone()],
        vec![b.clone(), a.clone()],
        vec![unnamed],
    ] {
        let bytes = root(&slices).encode().unwrap();
        assert_eq!(
            Root::decode(9, &bytes).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
        let keys = Root {
            keys: slices,
            ..root(&[])
        };
        let expected = keys.keys.len() == 1;
        assert_eq!(Root::decode(9, &keys.encode().unwrap()).is_ok(), expected);
    }
}

#[test]
fn keys_are_items_too() {
    let used = KeyUse {
        request: Digest::of(b"r"),
        seq: 3,
        time: Timestamp::UNIX_EPOCH,
    };
    let keys = vec![KeyItem::new("job \"1\"", &used)];
    let earlier = Earlier::default();
    let (slice, bytes) = cut(keys, &earlier).next().unwrap().unwrap();
    let items: Vec<KeyItem<'_>> = decode(&root(&[]).anchor(), &slice, &bytes.unwrap()).unwrap();
    assert_eq!(items[0].id(), "job \"1\"");
    assert_eq!(items[0].clone().into_held(), ("job \"1\"".to_owned(), used));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn taking_over_unchanged_shards_gives_what_cutting_anew_gives(
        count in 1_usize..1_200,
        large in any::<bool>(),
        changed in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        added in prop::collection::vec("[a-z0-9]{1,8}", 0..4),
    ) {
        let mut refs = refs(count);
        if large {
            // Some shards end for their size.
            let text = "x".repeat(20 << 10);
            for (_, state) in refs.iter_mut().step_by(9) {
                state.value = Some(Value::new("note", &text).unwrap());
            }
        }
        let before: Vec<Slice> = shards(&refs).into_iter().map(|(slice, _)| slice).collect();
        for index in &changed {
            refs[index.index(count)].1 = state(2, "y");
        }
        for name in &added {
            let path: mainstay_core::RefPath = format!("model/m0{name}/version/1").parse().unwrap();
            if let Err(at) = refs.binary_search_by(|(other, _)| other.cmp(&path)) {
                refs.insert(at, (path, state(2, "z")));
            }
        }
        let earlier = Earlier::new(1, &before);
        let taken: Vec<_> = cut(items(&refs), &earlier).collect::<Result<_>>().unwrap();
        let anew: Vec<Slice> = shards(&refs).into_iter().map(|(slice, _)| slice).collect();
        let slices: Vec<Slice> = taken.iter().map(|(slice, _)| slice.clone()).collect();
        prop_assert_eq!(slices, anew);
        let encoded = taken.iter().filter(|(_, bytes)| bytes.is_some()).count();
        prop_assert!(large || encoded <= 2 * (changed.len() + added.len()) + 1);
    }
}

proptest! {
    #[test]
    fn any_bytes_of_roots_and_shards_are_refused_without_panic(bytes: Vec<u8>) {
        prop_assert!(Root::decode(1, &bytes).is_err());
        // Also past the digest, as if a forger had named the shard.
        let slice = Slice { digest: Digest::of(&bytes), first: "a/b".into(), count: 1 };
        prop_assert!(read(&slice, &bytes).is_err());
    }

    #[test]
    fn a_damaged_shard_is_corrupt(at: prop::sample::Index, bit in 0_u8..8) {
        let (slice, bytes) = shards(&refs(3)).remove(0);
        let mut damaged = bytes.to_vec();
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        prop_assert_eq!(read(&slice, &damaged).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn mutated_shards_and_roots_are_read_or_refused_without_panic(
        at: prop::sample::Index, with in any::<Vec<u8>>(), cut in 0_usize..20,
    ) {
        let (slice, bytes) = shards(&refs(3)).remove(0);
        let mutate = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, with.clone());
            bytes
        };
        let mutated = mutate(&bytes);
        let named = Slice { digest: Digest::of(&mutated), ..slice.clone() };
        drop(read(&named, &mutated));
        let body = canon::to_vec(&root(&[slice])).unwrap();
        let body = mutate(&body);
        let mut sealed = format!("{{\"check\":\"{}\",", Digest::of(&body)).into_bytes();
        sealed.extend(body.into_iter().skip(1));
        drop(Root::decode(9, &sealed));
    }
}
