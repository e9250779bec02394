//! What is read is what was written, for as few bytes as possible.

use futures::TryStreamExt as _;
use mainstay_store::fault::{Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{
    ByteRange, MeterStorage, NoWait, Object, Prefix, PutOutcome, RetryOptions, RetryStorage,
    StorageExt as _,
};
use proptest::prelude::*;

use super::*;

/// Sizes around the ends of segments, and others.
fn sizes() -> impl Strategy<Value = usize> {
    let edges = prop::sample::select(vec![0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT]);
    prop_oneof![edges, 0..200_usize, 0..3 * SEGMENT]
}

fn ranges() -> impl Strategy<Value = ByteRange> {
    let offset = || prop_oneof![0..3 * SEGMENT as u64 + 10, Just(u64::MAX)];
    let around = (0..4_u64, 0..4_u64, 0..3_u64, 0..3_u64)
        .prop_map(|(a, b, c, d)| (a * SEGMENT as u64 + c)..(b * SEGMENT as u64 + d));
    prop_oneof![
        Just(ByteRange::Full),
        (offset(), offset()).prop_map(|(a, b)| ByteRange::Offsets(a..b)),
        around.prop_map(ByteRange::Offsets),
        offset().prop_map(ByteRange::Last),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_range_of_any_object_is_that_range_of_what_was_written(
        size in sizes(),
        ranges in prop::collection::vec(ranges(), 5),
    ) {
        block_on(async {
            let raw = MeterStorage::new(MemoryStorage::new());
            let storage = simple(&raw);
            let plain = Bytes::from(text(size));
            put(&storage, "a/b", plain.clone()).await;
            for range in ranges {
                let before = raw.reading();
                let read = storage.get(&key("a/b"), range.clone()).await.unwrap().unwrap();
                let cost = raw.reading() - before;
                prop_assert_eq!(&read, &Object::cut(&plain, &range), "{:?}", range);
                prop_assert_eq!(cost.requests(), 1);
                let around = if matches!(range, ByteRange::Last(_)) { 3 } else { 2 };
                let most = read.bytes.len() / SEGMENT + around;
                prop_assert!(cost.bytes_read <= (most * STORED) as u64);
            }
            let listed: Vec<_> = storage.list(&Prefix::all(), None).try_collect().await.unwrap();
            prop_assert_eq!(listed[0].size, size as u64);
            Ok(())
        })?;
    }
}

#[test]
fn neither_content_nor_equality_of_content_is_seen_in_the_storage() {
    block_on(async {
        let raw = MemoryStorage::new();
        let storage = simple(&raw);
        let plain = b"the same forty characters in both of them".repeat(10);
        put(&storage, "a", plain.clone()).await;
        let first = fetch(&raw, "a").await.unwrap();
        put(&storage, "a", plain.clone()).await;
        let second = fetch(&raw, "a").await.unwrap();
        assert_ne!(first, second);
        for stored in [&first, &second] {
            let shown = plain
                .windows(8)
                .any(|part| stored.windows(8).any(|w| w == part));
            assert!(!shown);
        }
    });
}

#[test]
fn a_create_whose_answer_was_lost_finds_its_own_bytes_on_either_side_of_the_encryption() {
    let options = || RetryOptions::default().with_seed(1);
    block_on(async {
        for outside in [true, false] {
            let faulty = FaultStorage::new(MemoryStorage::new());
            let first_put = Trigger::any().with_verb(Verb::Put).with_times(1);
            faulty.fail_when(first_put, Fault::LoseResponse);
            let timer = Arc::new(NoWait::default());
            let storage: Arc<dyn Storage> = if outside {
                Arc::new(RetryStorage::new(simple(faulty), timer, options()))
            } else {
                Arc::new(simple(RetryStorage::new(faulty, timer, options())))
            };
            let outcome = storage.create(&key("log/1"), "mine".into()).await.unwrap();
            assert_eq!(outcome, PutOutcome::Written, "outside: {outside}");
            let outcome = storage.create(&key("log/1"), "other".into()).await.unwrap();
            assert_eq!(outcome, PutOutcome::Exists);
            assert_eq!(fetch(&storage, "log/1").await.unwrap(), "mine");
        }
    });
}
