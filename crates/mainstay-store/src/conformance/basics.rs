//! One object at a time.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;

use super::payload::payload;
use super::{Failure, Outcome, check};
use crate::{ByteRange, Key, Object, Prefix, PutMode, PutOutcome, Storage, StorageExt as _};

type Shared = Arc<dyn Storage>;

pub(super) async fn an_absent_key_reads_as_none(storage: Shared, _seed: u64) -> Outcome {
    for name in ["absent", "absent/below", "absent.1"] {
        let key = Key::new(name)?;
        for range in [
            ByteRange::Full,
            ByteRange::Offsets(0..0),
            ByteRange::Offsets(1..2),
            ByteRange::Last(0),
            ByteRange::Last(1),
        ] {
            let object = storage.get(&key, range).await?;
            check!(
                object.is_none(),
                "{key} was never written but reads as {object:?}"
            );
        }
    }
    Ok(())
}

pub(super) async fn what_was_written_is_read_back(storage: Shared, seed: u64) -> Outcome {
    for (index, len) in [16, 1000, 65_537].into_iter().enumerate() {
        let key = Key::new(format!("dir/object-{index}"))?;
        let bytes = payload(seed, len);
        let outcome = storage.create(&key, bytes.clone()).await?;
        check!(
            outcome == PutOutcome::Written,
            "{key} was absent but {outcome:?}"
        );
        expect(&storage, &key, &bytes).await?;
    }
    Ok(())
}

pub(super) async fn create_does_not_replace(storage: Shared, _seed: u64) -> Outcome {
    let key = Key::new("dir/object")?;
    let _written = storage.create(&key, "first".into()).await?;
    // Also when the bytes are the same: the second writer did not write.
    for bytes in ["second", "first", ""] {
        let outcome = storage.create(&key, bytes.into()).await?;
        check!(
            outcome == PutOutcome::Exists,
            "a second create of {key}: {outcome:?}"
        );
        expect(&storage, &key, b"first").await?;
    }
    Ok(())
}

pub(super) async fn overwrite_replaces(storage: Shared, _seed: u64) -> Outcome {
    let key = Key::new("dir/object")?;
    for bytes in ["first", "a longer second", "3", ""] {
        let outcome = storage.put(&key, bytes.into(), PutMode::Overwrite).await?;
        check!(
            outcome == PutOutcome::Written,
            "an overwrite of {key}: {outcome:?}"
        );
        expect(&storage, &key, bytes.as_bytes()).await?;
        let listed: Vec<_> = storage.list(&Prefix::all(), None).try_collect().await?;
        check!(
            matches!(listed.as_slice(), [object] if object.size == bytes.len() as u64),
            "an object of {} bytes is listed as {listed:?}",
            bytes.len()
        );
    }
    let outcome = storage.create(&key, "no".into()).await?;
    check!(
        outcome == PutOutcome::Exists,
        "a create after an overwrite of {key}: {outcome:?}"
    );
    Ok(())
}

pub(super) async fn delete_is_idempotent_and_the_key_is_free_again(
    storage: Shared,
    _seed: u64,
) -> Outcome {
    let key = Key::new("dir/object")?;
    storage.delete(&key).await?;
    for bytes in ["first", "second"] {
        let outcome = storage.create(&key, bytes.into()).await?;
        check!(
            outcome == PutOutcome::Written,
            "{key} was deleted but {outcome:?}"
        );
        expect(&storage, &key, bytes.as_bytes()).await?;
        for _ in 0..2 {
            storage.delete(&key).await?;
            let object = storage.get_all(&key).await?;
            check!(
                object.is_none(),
                "{key} was deleted but reads as {object:?}"
            );
        }
    }
    Ok(())
}

pub(super) async fn an_empty_object_is_not_an_absent_one(storage: Shared, _seed: u64) -> Outcome {
    let key = Key::new("dir/empty")?;
    let _written = storage.create(&key, Bytes::new()).await?;
    for range in [
        ByteRange::Full,
        ByteRange::Offsets(0..9),
        ByteRange::Last(9),
    ] {
        let object = storage.get(&key, range.clone()).await?;
        let empty = Object {
            bytes: Bytes::new(),
            size: 0,
        };
        check!(
            object.as_ref() == Some(&empty),
            "{range:?} of an empty object is {object:?}"
        );
    }
    let listed: Vec<_> = storage.list(&Prefix::all(), None).try_collect().await?;
    check!(
        matches!(listed.as_slice(), [object] if object.key == key && object.size == 0),
        "an empty object is listed as {listed:?}"
    );
    Ok(())
}

pub(super) async fn a_large_object_is_read_back_whole_and_in_parts(
    storage: Shared,
    seed: u64,
) -> Outcome {
    let key = Key::new("dir/large")?;
    let whole = payload(seed, 8 << 20);
    let _written = storage.create(&key, whole.clone()).await?;
    expect(&storage, &key, &whole).await?;
    for start in [0_u64, 1 << 20, (8 << 20) - 100] {
        let range = ByteRange::Offsets(start..start + (64 << 10));
        expect_range(&storage, &key, &whole, range).await?;
    }
    Ok(())
}

pub(super) async fn ranges_are_cut_to_the_object(storage: Shared, seed: u64) -> Outcome {
    let key = Key::new("dir/object")?;
    let whole = payload(seed, 100);
    let _written = storage.create(&key, whole.clone()).await?;
    let bounds = [0, 1, 50, 99, 100, 101, 1 << 40, u64::MAX];
    for start in bounds {
        for end in bounds.into_iter().filter(|end| *end >= start) {
            expect_range(&storage, &key, &whole, ByteRange::Offsets(start..end)).await?;
        }
        expect_range(&storage, &key, &whole, ByteRange::Last(start)).await?;
    }
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "a caller's slip must not panic"
    )]
    let reversed = ByteRange::Offsets(9..3);
    expect_range(&storage, &key, &whole, reversed).await
}

pub(super) async fn a_key_is_not_in_the_way_of_keys_below_it(
    storage: Shared,
    _seed: u64,
) -> Outcome {
    let names = ["a", "a/b", "a/b/c", "d.1/e", "d.1"];
    for name in names {
        let outcome = storage.create(&Key::new(name)?, name.into()).await?;
        check!(
            outcome == PutOutcome::Written,
            "{name} was not there but {outcome:?}"
        );
    }
    storage.delete(&Key::new("a/b")?).await?;
    for name in ["a", "a/b/c", "d.1/e", "d.1"] {
        expect(&storage, &Key::new(name)?, name.as_bytes()).await?;
    }
    let gone = storage.get_all(&Key::new("a/b")?).await?;
    check!(gone.is_none(), "a/b was deleted but reads as {gone:?}");
    Ok(())
}

async fn expect(storage: &Shared, key: &Key, whole: &[u8]) -> Outcome {
    expect_range(storage, key, whole, ByteRange::Full).await
}

async fn expect_range(storage: &Shared, key: &Key, whole: &[u8], range: ByteRange) -> Outcome {
    let wanted = Object::cut(&Bytes::copy_from_slice(whole), &range);
    let found = storage.get(key, range.clone()).await?;
    let Some(found) = found else {
        return Err(Failure::new(format!("{key} was written but is absent")));
    };
    check!(
        found.size == wanted.size,
        "{key} has {} bytes but says {}",
        wanted.size,
        found.size
    );
    check!(
        found.bytes == wanted.bytes,
        "{range:?} of {key} is not what was written: {} bytes instead of {}, or others",
        found.bytes.len(),
        wanted.bytes.len()
    );
    Ok(())
}
