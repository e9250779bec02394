//! Any keys and ranges against a sorted map.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_store::{ByteRange, Key, Object, Prefix, PutMode, PutOutcome};
use proptest::prelude::*;

use super::open;

#[derive(Debug, Clone)]
enum Step {
    Put(Key, Vec<u8>, PutMode),
    Delete(Key),
    Get(Key, ByteRange),
    List(Prefix, Option<Key>),
}

/// Text that SQL, paths or patterns could take for something else.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9%_-][a-z0-9._%-]{0,6}(/[a-z0-9%_-][a-z0-9._%-]{0,3}){0,2}",
        prop::sample::select(vec![
            "%", "_", "a%", "a_", "a%%b", "%27", "--", "0x00", "null", "a/b", "a-b", "a0", "a",
        ])
        .prop_map(str::to_owned),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    name().prop_map(|name| Key::new(name).unwrap())
}

fn range() -> impl Strategy<Value = ByteRange> {
    let bound = || prop_oneof![0_u64..50, Just(u64::MAX), Just(1 << 40), Just(1 << 63)];
    prop_oneof![
        Just(ByteRange::Full),
        bound().prop_map(ByteRange::Last),
        (bound(), bound()).prop_map(|(start, end)| ByteRange::Offsets(start..end)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let mode = prop::sample::select(vec![PutMode::Create, PutMode::Overwrite]);
    let prefix = prop_oneof![
        Just(Prefix::all()),
        key().prop_map(|key| Prefix::directory(key.as_str()).unwrap()),
    ];
    prop_oneof![
        3 => (key(), bytes, mode).prop_map(|(key, bytes, mode)| Step::Put(key, bytes, mode)),
        1 => key().prop_map(Step::Delete),
        2 => (key(), range()).prop_map(|(key, range)| Step::Get(key, range)),
        1 => (prefix, prop::option::of(key())).prop_map(|(prefix, after)| Step::List(prefix, after)),
    ]
}

async fn check(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir.path().join("a.db")).await;
    let mut model: BTreeMap<Key, Bytes> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Put(key, bytes, mode) => {
                let bytes = Bytes::from(bytes);
                let outcome = storage.put(&key, bytes.clone(), mode).await.unwrap();
                let exists = mode == PutMode::Create && model.contains_key(&key);
                assert_eq!(outcome == PutOutcome::Exists, exists);
                if !exists {
                    model.insert(key, bytes);
                }
            }
            Step::Delete(key) => {
                storage.delete(&key).await.unwrap();
                model.remove(&key);
            }
            Step::Get(key, range) => {
                let wanted = model.get(&key).map(|bytes| Object::cut(bytes, &range));
                assert_eq!(storage.get(&key, range).await.unwrap(), wanted);
            }
            Step::List(prefix, after) => {
                let listing = storage.list(&prefix, after.as_ref());
                let listed: Vec<_> = listing.try_collect().await.unwrap();
                let listed: Vec<_> = listed.into_iter().map(|o| (o.key, o.size)).collect();
                let wanted = model
                    .iter()
                    .filter(|(key, _)| prefix.covers(key))
                    .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after))
                    .map(|(key, bytes)| (key.clone(), bytes.len() as u64));
                assert_eq!(listed, wanted.collect::<Vec<_>>());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_keys_and_ranges_do_what_a_sorted_map_does(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(steps));
    }
}

#[tokio::test]
async fn a_listing_of_several_pages_is_complete_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir.path().join("a.db")).await;
    let keys: Vec<_> = (0..2_500)
        .map(|n| Key::new(format!("log/{n:05}")).unwrap())
        .collect();
    let creations = keys
        .iter()
        .map(|key| storage.put(key, "x".into(), PutMode::Create));
    futures::future::try_join_all(creations).await.unwrap();
    let listing = storage
        .list(&Prefix::all(), None)
        .map_ok(|object| object.key);
    assert_eq!(listing.try_collect::<Vec<_>>().await.unwrap(), keys);
}
