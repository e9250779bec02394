use super::*;
use crate::{MemoryStorage, MeterStorage, StorageExt as _};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn cached(max_bytes: u64) -> CacheStorage<MeterStorage<MemoryStorage>> {
    let packs = vec![Prefix::directory("pack").unwrap()];
    CacheStorage::new(MeterStorage::new(MemoryStorage::new()), packs, max_bytes)
}

async fn put_below(storage: &MeterStorage<MemoryStorage>, name: &str, bytes: &'static str) {
    storage
        .create(&key(name), bytes.into())
        .await
        .map(drop)
        .unwrap();
}

#[tokio::test]
async fn an_object_read_whole_is_fetched_once_and_serves_ranges() {
    let storage = cached(1000);
    put_below(&storage.inner, "pack/1", "0123456789").await;
    let pack = key("pack/1");
    storage.get_all(&pack).await.unwrap();
    for (range, wanted) in [
        (ByteRange::Full, "0123456789"),
        (ByteRange::Offsets(2..4), "23"),
        (ByteRange::Last(3), "789"),
        (ByteRange::Offsets(20..30), ""),
    ] {
        let object = storage.get(&pack, range).await.unwrap().unwrap();
        assert_eq!(
            (object.bytes.as_ref(), object.size),
            (wanted.as_bytes(), 10)
        );
    }
    assert_eq!(storage.inner.reading().gets, 1);
}

#[tokio::test]
async fn a_created_object_needs_no_fetch_and_one_that_existed_is_not_taken_for_it() {
    let storage = cached(1000);
    storage
        .create(&key("pack/1"), "mine".into())
        .await
        .map(drop)
        .unwrap();
    assert_eq!(
        storage.get_all(&key("pack/1")).await.unwrap().unwrap(),
        "mine"
    );
    assert_eq!(storage.inner.reading().gets, 0);

    put_below(&storage.inner, "pack/2", "theirs").await;
    let outcome = storage.create(&key("pack/2"), "mine".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Exists);
    assert_eq!(
        storage.get_all(&key("pack/2")).await.unwrap().unwrap(),
        "theirs"
    );
}

#[tokio::test]
async fn parts_other_prefixes_and_absence_are_not_kept() {
    let storage = cached(1000);
    put_below(&storage.inner, "pack/1", "0123456789").await;
    put_below(&storage.inner, "ref/1", "x").await;
    for _ in 0..2 {
        storage
            .get(&key("pack/1"), ByteRange::Last(3))
            .await
            .unwrap();
        storage.get_all(&key("ref/1")).await.unwrap();
        assert!(storage.get_all(&key("pack/2")).await.unwrap().is_none());
    }
    assert_eq!(storage.inner.reading().gets, 6);
    assert_eq!(storage.kept_bytes(), 0);
    put_below(&storage.inner, "pack/2", "late").await;
    assert!(storage.get_all(&key("pack/2")).await.unwrap().is_some());
}

#[tokio::test]
async fn deleted_and_overwritten_objects_are_forgotten() {
    let storage = cached(1000);
    let pack = key("pack/1");
    storage.create(&pack, "old".into()).await.map(drop).unwrap();
    storage
        .put(&pack, "new".into(), PutMode::Overwrite)
        .await
        .map(drop)
        .unwrap();
    assert_eq!(storage.get_all(&pack).await.unwrap().unwrap(), "new");
    storage.delete(&pack).await.unwrap();
    assert!(storage.get_all(&pack).await.unwrap().is_none());
    assert_eq!(storage.kept_bytes(), 0);
}

#[tokio::test]
async fn what_was_fetched_before_a_delete_is_not_kept_after_it() {
    let storage = cached(1000);
    let pack = key("pack/1");
    let before = storage.kept().forgotten;
    storage.delete(&pack).await.unwrap();
    storage.keep(&pack, "fetched meanwhile".into(), before);
    assert!(storage.get_all(&pack).await.unwrap().is_none());
}

#[tokio::test]
async fn the_bound_holds_and_the_object_used_longest_ago_goes() {
    // Keys take six bytes each.
    let storage = cached(36);
    for name in ["pack/1", "pack/2", "pack/3"] {
        put_below(&storage.inner, name, "123456").await;
        storage.get_all(&key(name)).await.unwrap();
    }
    storage.get_all(&key("pack/1")).await.unwrap();
    storage
        .create(&key("pack/4"), "123456".into())
        .await
        .map(drop)
        .unwrap();
    assert_eq!(storage.kept_bytes(), 36);
    let before = storage.inner.reading();
    for name in ["pack/1", "pack/3", "pack/4"] {
        storage.get_all(&key(name)).await.unwrap();
    }
    assert_eq!((storage.inner.reading() - before).gets, 0);
    storage.get_all(&key("pack/2")).await.unwrap();
    assert_eq!((storage.inner.reading() - before).gets, 1);

    let large = vec![0; 40];
    storage
        .create(&key("pack/large"), large.into())
        .await
        .map(drop)
        .unwrap();
    assert_eq!(storage.kept_bytes(), 36);
}
