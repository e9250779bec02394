use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::{ErrorKind, Result, Timestamp, canon};
use mainstay_store::{MemoryStorage, Storage};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::item::{Held, Item, KeyItem, Keys, RefItem, Refs};
use super::recut::{Piece, Recut};
use super::root::{FORMAT, Root, Slice};
use super::shard::decode;
use super::write::write;
use super::*;
use crate::seal;
use crate::view::{Base, KeyUse, Source};
use crate::{RefState, Value, View};

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

type States = [(mainstay_core::RefPath, RefState)];

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// The view of entry `seq` after `base` in which `refs` have changed.
fn changed(mut base: View, seq: u64, refs: &States) -> View {
    base.seq = seq;
    base.time = Timestamp::UNIX_EPOCH;
    base.entry = Some(Digest::of(b"entry"));
    for (path, state) in refs {
        base.refs.insert_mut(path.clone(), Arc::new(state.clone()));
    }
    base
}

fn pieces<T: Held>(view: &View) -> Vec<Piece<T>> {
    block_on(async {
        let (mut recut, mut pieces) = (Recut::new(view), Vec::new());
        while let Some(piece) = recut.next().await.unwrap() {
            pieces.push(piece);
        }
        pieces
    })
}

fn shards(refs: &States) -> Vec<(Slice, Bytes)> {
    pieces::<Refs>(&changed(View::empty(), 1, refs))
        .into_iter()
        .map(|piece| (piece.slice, piece.bytes.unwrap()))
        .collect()
}

fn root(slices: &[Slice]) -> Root {
    Root {
        format: FORMAT,
        seq: 9,
        entry: Digest::of(b"entry"),
        time: Timestamp::UNIX_EPOCH,
        refs: slices.to_vec(),
        keys: Vec::new(),
        links: Some(Vec::new()),
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
        read_back.extend(read(&slice, &bytes).unwrap().into_iter().map(Refs::held));
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
    let newer = seal::encode(&json!({"format": 3})).unwrap();
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
    let mut view = changed(View::empty(), 3, &[]);
    view.keys.insert_mut("job \"1\"".to_owned(), used);
    let Piece { slice, bytes, .. } = pieces::<Keys>(&view).remove(0);
    let items: Vec<KeyItem<'_>> = decode(&root(&[]).anchor(), &slice, &bytes.unwrap()).unwrap();
    assert_eq!(items[0].id(), "job \"1\"");
    assert_eq!(Keys::held(items[0].clone()), ("job \"1\"".to_owned(), used));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn cutting_where_something_changed_gives_what_cutting_everything_gives(
        count in 1_usize..1_200,
        large in any::<bool>(),
        rounds in prop::collection::vec(
            (
                prop::collection::vec(any::<prop::sample::Index>(), 0..4),
                prop::collection::vec("[a-z0-9]{1,8}", 0..4),
            ),
            1..4,
        ),
    ) {
        let mut refs = refs(count);
        if large {
            // Some shards end for their size.
            let text = "x".repeat(20 << 10);
            for (_, state) in refs.iter_mut().step_by(9) {
                state.value = Some(Value::new("note", &text).unwrap());
            }
        }
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
        let source = Arc::new(Source::new(Arc::clone(&storage)));
        let mut view = changed(View::empty(), 1, &refs);
        for (seq, (indexes, names)) in (2..).zip(rounds) {
            let base = block_on(write(&source, &view)).unwrap().unwrap();
            let kept = pieces::<Refs>(&View::of(base)).into_iter().all(|piece| piece.bytes.is_none());
            prop_assert!(kept, "nothing has changed");
            // As another process would begin, with nothing in memory.
            let again = block_on(load::root(&*storage, seq - 1)).unwrap();
            let fresh = Arc::new(Source::new(Arc::clone(&storage)));
            view = View::of(Base::new(again, &fresh).unwrap());
            let mut touched = Vec::new();
            for index in indexes {
                let at = index.index(refs.len());
                refs[at].1 = state(seq, "y");
                touched.push(refs[at].clone());
            }
            for name in names {
                let path: mainstay_core::RefPath = format!("model/m0{name}/version/1").parse().unwrap();
                if let Err(at) = refs.binary_search_by(|(other, _)| other.cmp(&path)) {
                    refs.insert(at, (path, state(seq, "z")));
                    touched.push(refs[at].clone());
                }
            }
            view = changed(view, seq, &touched);
            let cut = pieces::<Refs>(&view);
            let slices: Vec<&Slice> = cut.iter().map(|piece| &piece.slice).collect();
            let anew = shards(&refs);
            prop_assert_eq!(slices, anew.iter().map(|(slice, _)| slice).collect::<Vec<_>>());
            let encoded = cut.iter().filter(|piece| piece.bytes.is_some()).count();
            // Of shards that end for their size, the ends move until one ends for its last item.
            prop_assert!(large || encoded <= 3 * touched.len(), "{encoded}");
            for (piece, (_, bytes)) in cut.iter().zip(&anew) {
                prop_assert!(piece.bytes.as_ref().is_none_or(|written| written == bytes));
            }
        }
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
