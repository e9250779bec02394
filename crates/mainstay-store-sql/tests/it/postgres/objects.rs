//! Objects of every size.

use std::sync::Arc;

use bytes::Bytes;
use mainstay_core::ErrorKind;
use mainstay_store::{ByteRange, Key, Object, PutMode, PutOutcome, StorageExt as _};

use super::{namespace, open, server, session};

const CHUNK: usize = 1 << 20;

fn bytes_of(len: usize) -> Bytes {
    let numbers = (0_u32..).flat_map(u32::to_le_bytes);
    numbers.take(len).collect()
}

#[tokio::test]
async fn objects_that_end_at_a_row_or_beside_it_are_read_back_whole_and_in_parts() {
    let Some(server) = server() else { return };
    let storage = open(&namespace(&server)).await.unwrap();
    for (number, len) in [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        2 * CHUNK,
        3 * CHUNK - 1,
        CHUNK,
        5,
    ]
    .into_iter()
    .enumerate()
    {
        let bytes = bytes_of(len);
        let created = Key::new(format!("pack/{number}")).unwrap();
        let outcome = storage.create(&created, bytes.clone()).await.unwrap();
        assert_eq!(outcome, PutOutcome::Written);
        let again = storage.create(&created, "no".into()).await.unwrap();
        assert_eq!(again, PutOutcome::Exists);
        let replaced = Key::new("pack").unwrap();
        let outcome = storage
            .put(&replaced, bytes.clone(), PutMode::Overwrite)
            .await;
        assert_eq!(outcome.unwrap(), PutOutcome::Written);
        let edges = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, len].map(|edge| edge as u64);
        let mut ranges = vec![ByteRange::Full, ByteRange::Last(u64::MAX)];
        for start in edges {
            ranges.extend(edges.map(|end| ByteRange::Offsets(start..end)));
            ranges.push(ByteRange::Offsets(start..u64::MAX));
            ranges.push(ByteRange::Last(start));
        }
        for key in [&created, &replaced] {
            for range in &ranges {
                let found = storage.get(key, range.clone()).await.unwrap();
                assert!(
                    found == Some(Object::cut(&bytes, range)),
                    "{range:?} of {len} bytes"
                );
            }
        }
    }
}

#[tokio::test]
async fn racing_overwrites_and_deletions_leave_whole_objects_and_no_rows_of_others() {
    let Some(server) = server() else { return };
    let url = namespace(&server);
    let storage = open(&url).await.unwrap();
    let key = Key::new("pack/1").unwrap();
    let lens = [10, CHUNK + 1, 3 * CHUNK, CHUNK, 2 * CHUNK + 5, 7];
    let writers = lens.map(|len| {
        let (storage, key) = (Arc::clone(&storage), key.clone());
        tokio::spawn(async move {
            for _ in 0..12 {
                let bytes = Bytes::from(vec![u8::try_from(len % 251).unwrap(); len]);
                let _written = storage.put(&key, bytes, PutMode::Overwrite).await.unwrap();
                if let Some(found) = storage.get_all(&key).await.unwrap() {
                    let of_one = lens.iter().any(|len| {
                        found.len() == *len
                            && found.iter().all(|byte| usize::from(*byte) == len % 251)
                    });
                    assert!(of_one, "{} bytes of several writers", found.len());
                }
                storage.delete(&key).await.unwrap();
            }
        })
    });
    futures::future::try_join_all(writers).await.unwrap();
    assert!(storage.get_all(&key).await.unwrap().is_none());
    let left =
        "SELECT count(*) FROM mainstay.chunk WHERE object NOT IN (SELECT id FROM mainstay.object)";
    let left = session(&server).await.query_one(left, &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn an_object_of_the_limit_is_stored_and_a_larger_one_refused() {
    let Some(server) = server() else { return };
    let storage = open(&namespace(&server)).await.unwrap();
    assert_eq!(storage.capabilities().max_object_bytes, 64 << 20);
    let key = Key::new("pack/1").unwrap();
    let outcome = storage.create(&key, vec![7; 64 << 20].into()).await;
    assert_eq!(outcome.unwrap(), PutOutcome::Written);
    let end = storage
        .get(&key, ByteRange::Last(3))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((end.size, &end.bytes[..]), (64 << 20, &[7, 7, 7][..]));
    storage.delete(&key).await.unwrap();
    let larger = storage.create(&key, vec![7; (64 << 20) + 1].into()).await;
    assert_eq!(larger.unwrap_err().kind(), ErrorKind::Invalid);
}
