//! What somebody does to the stored bytes is noticed.

use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_store::{ByteRange, Prefix};
use proptest::prelude::*;

use super::*;

/// Reads `stored` as the object `name` in several ways; returns the errors, one a way.
async fn read(name: &str, stored: Vec<u8>) -> Vec<Result<Bytes, Error>> {
    let raw = MemoryStorage::new();
    put(&raw, name, stored).await;
    let storage = simple(&raw);
    let mut answers = Vec::new();
    for range in [ByteRange::Full, ByteRange::Last(u64::MAX)] {
        let object = storage.get(&key(name), range).await;
        answers.push(object.map(|object| object.unwrap().bytes));
    }
    answers
}

/// Checks that `stored` is refused as an object `name`, and by name.
async fn refused(name: &str, stored: Vec<u8>) {
    for answer in read(name, stored).await {
        let error = answer.unwrap_err();
        let kind = error.kind();
        assert!(
            matches!(
                kind,
                ErrorKind::Corrupt | ErrorKind::Incompatible | ErrorKind::PermissionDenied
            ),
            "{error}"
        );
        assert!(
            error.to_string().contains(&format!("object: {name}")),
            "{error}"
        );
    }
}

#[test]
fn every_single_bit_of_a_small_object_counts() {
    block_on(async {
        for plain in [&b""[..], b"1", b"a small object"] {
            let stored = sealed("log/1", plain, 1).await;
            for at in 0..stored.len() {
                for bit in 0..8 {
                    let mut altered = stored.clone();
                    altered[at] ^= 1 << bit;
                    refused("log/1", altered).await;
                }
            }
        }
    });
}

#[test]
fn every_length_but_its_own_is_refused() {
    block_on(async {
        let stored = sealed("log/1", b"a small object", 1).await;
        for len in 0..stored.len() {
            refused("log/1", stored[..len].to_vec()).await;
        }
        for more in [1, 16, 96, 200, STORED] {
            for filler in [
                vec![0; more],
                stored.iter().copied().cycle().take(more).collect(),
            ] {
                refused("log/1", [stored.as_slice(), &filler].concat()).await;
            }
        }
        let stored = sealed("pack/1", &text(3 * SEGMENT + 5), 1).await;
        for segments in 0..=3 {
            refused("pack/1", stored[..segments * STORED].to_vec()).await;
        }
    });
}

#[test]
fn segments_do_not_move_within_an_object_nor_to_another_write_of_it() {
    block_on(async {
        let stored = sealed("pack/1", &text(4 * SEGMENT), 1).await;
        let again = sealed("pack/1", &text(4 * SEGMENT), 2).await;
        let segments: Vec<_> = stored.chunks(STORED).collect();
        for order in [
            [1, 0, 2, 3],
            [0, 2, 1, 3],
            [0, 0, 2, 3],
            [0, 1, 2, 2],
            [3, 2, 1, 0],
        ] {
            refused("pack/1", order.map(|n| segments[n]).concat()).await;
        }
        for replaced in 0..4 {
            let mut mixed = stored.clone();
            let segment = replaced * STORED..(replaced + 1) * STORED;
            mixed[segment.clone()].copy_from_slice(&again[segment]);
            refused("pack/1", mixed).await;
        }
    });
}

#[test]
fn a_cut_object_is_refused_also_by_reads_that_do_not_reach_the_cut() {
    block_on(async {
        let stored = sealed("pack/1", &text(3 * SEGMENT), 1).await;
        let raw = MemoryStorage::new();
        put(&raw, "pack/1", stored[..2 * STORED].to_vec()).await;
        let storage = simple(&raw);
        for range in [ByteRange::Offsets(0..1), ByteRange::Last(1)] {
            let error = storage.get(&key("pack/1"), range).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    });
}

#[test]
fn an_object_under_another_name_is_refused() {
    block_on(async {
        let stored = sealed("log/1", b"entry one", 1).await;
        refused("log/2", stored.clone()).await;
        assert_eq!(
            read("log/1", stored).await[0].as_ref().unwrap(),
            "entry one"
        );
    });
}

#[test]
fn what_is_not_encrypted_is_refused_and_said_to_be_so() {
    block_on(async {
        for plain in ["", "short", &"long enough to be anything ".repeat(9_000)] {
            let raw = MemoryStorage::new();
            put(&raw, "log/1", plain.to_owned()).await;
            let storage = simple(&raw);
            for range in [
                ByteRange::Full,
                ByteRange::Offsets(0..1),
                ByteRange::Last(1),
            ] {
                let error = storage.get(&key("log/1"), range).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt);
                assert_eq!(
                    error.to_string(),
                    "the object is not encrypted (object: log/1)"
                );
            }
        }
        let raw = MemoryStorage::new();
        put(&raw, "log/1", "short").await;
        let storage = simple(&raw);
        let listed: Result<Vec<_>, _> = storage.list(&Prefix::all(), None).try_collect().await;
        assert_eq!(
            listed.unwrap_err().to_string(),
            "the object is not encrypted (object: log/1)"
        );
    });
}

#[test]
fn a_newer_format_or_algorithm_is_refused_as_newer() {
    block_on(async {
        for at in [8, 12] {
            let mut stored = sealed("log/1", b"entry", 1).await;
            stored[at] = 2;
            let raw = MemoryStorage::new();
            put(&raw, "log/1", stored).await;
            let error = fetch(&simple(&raw), "log/1").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_flipped_bit_of_a_large_object_is_noticed_by_every_read_of_its_segment(
        at in 0..2 * STORED - 100,
        bit in 0..8_u32,
    ) {
        block_on(async {
            let plain = text(2 * SEGMENT - 100);
            let mut stored = sealed("pack/1", &plain, 1).await;
            stored[at] ^= 1_u8 << bit;
            let raw = MemoryStorage::new();
            put(&raw, "pack/1", stored).await;
            let storage = simple(&raw);
            prop_assert!(fetch(&storage, "pack/1").await.is_err());
            for segment in 0..2 {
                let within = (segment * SEGMENT) as u64..(segment * SEGMENT) as u64 + 7;
                let read = storage.get(&key("pack/1"), ByteRange::Offsets(within)).await;
                prop_assert_eq!(read.is_err(), at / STORED == segment);
            }
            Ok(())
        })?;
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(
        start in prop::bool::ANY,
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        len in 0..2 * STORED,
        range in (any::<u64>(), any::<u64>()),
    ) {
        block_on(async {
            let raw = MemoryStorage::new();
            let head = &sealed("a", b"", 1).await[..80];
            if start {
                bytes.splice(0..0, head.iter().copied());
            }
            bytes.resize(len.max(bytes.len()), 0);
            put(&raw, "a", bytes).await;
            let storage = simple(&raw);
            let (a, b) = range;
            for range in [ByteRange::Full, ByteRange::Offsets(a..b), ByteRange::Last(a)] {
                let read = storage.get(&key("a"), range).await;
                prop_assert!(read.is_err() || read.unwrap().unwrap().bytes.is_empty());
            }
            prop_assert!(fetch(&storage, "a").await.is_err());
            Ok(())
        })?;
    }
}
