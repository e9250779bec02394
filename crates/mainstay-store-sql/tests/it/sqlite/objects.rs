//! Objects of every size, and files that cannot be written.

use bytes::Bytes;
use mainstay_core::ErrorKind;
use mainstay_store::{ByteRange, Key, Object, PutMode, PutOutcome, StorageExt as _};

use super::{beside, open, open_with};

const CHUNK: usize = 1 << 20;

fn bytes_of(len: usize) -> Bytes {
    let numbers = (0_u32..).flat_map(u32::to_le_bytes);
    numbers.take(len).collect()
}

#[tokio::test]
async fn objects_that_end_at_a_row_or_beside_it_are_read_back_whole_and_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let storage = open(&dir.path().join("a.db")).await;
    let key = Key::new("pack/1").unwrap();
    for len in [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        2 * CHUNK,
        2 * CHUNK + 1,
        3 * CHUNK - 1,
        // Shorter again: nothing of the longer one is left.
        CHUNK + 7,
        5,
    ] {
        let bytes = bytes_of(len);
        let outcome = storage.put(&key, bytes.clone(), PutMode::Overwrite).await;
        assert_eq!(outcome.unwrap(), PutOutcome::Written);
        let edges = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, len];
        let edges = edges.map(|edge| edge as u64);
        let mut ranges = vec![ByteRange::Full];
        for start in edges {
            ranges.extend(edges.map(|end| ByteRange::Offsets(start..end)));
            ranges.push(ByteRange::Last(start));
        }
        for range in ranges {
            let found = storage.get(&key, range.clone()).await.unwrap();
            let wanted = Object::cut(&bytes, &range);
            assert!(found == Some(wanted), "{range:?} of {len} bytes");
        }
    }
}

#[tokio::test]
async fn an_object_above_the_limit_is_refused_and_the_limit_named() {
    let dir = tempfile::tempdir().unwrap();
    let limit = [("max_object_bytes", "1048576")];
    let storage = open_with(&dir.path().join("a.db"), &limit).await.unwrap();
    assert_eq!(storage.capabilities().max_object_bytes, 1 << 20);
    let key = Key::new("pack/1").unwrap();
    let error = storage.create(&key, bytes_of(CHUNK + 1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("object store") && error.to_string().contains("1048576"));
    assert!(storage.get_all(&key).await.unwrap().is_none());
    let outcome = storage.create(&key, bytes_of(CHUNK)).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
}

#[tokio::test]
async fn a_file_opened_to_be_read_is_read_and_refuses_writes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    let absent = open_with(&file, &[("read_only", "true")])
        .await
        .unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    assert!(beside(&file).is_empty());

    let key = Key::new("log/1").unwrap();
    let writer = open(&file).await;
    let _written = writer.create(&key, "first".into()).await.unwrap();
    let reader = open_with(&file, &[("read_only", "true")]).await.unwrap();
    assert!(reader.capabilities().read_only && !writer.capabilities().read_only);
    assert_eq!(reader.get_all(&key).await.unwrap().unwrap(), "first");
    for error in [
        reader.create(&key, "no".into()).await.unwrap_err(),
        reader.delete(&key).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
    let _replaced = writer.put(&key, "second".into(), PutMode::Overwrite).await;
    assert_eq!(reader.get_all(&key).await.unwrap().unwrap(), "second");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("absent/a.db");
    let error = open_with(&file, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("absent/a.db"), "{error}");
    let error = open_with(dir.path(), &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn the_last_user_leaves_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    let (one, two) = (open(&file).await, open(&file).await);
    let key = Key::new("log/1").unwrap();
    let _written = one.create(&key, "first".into()).await.unwrap();
    assert!(two.get_all(&key).await.unwrap().is_some());
    drop((one, two));
    assert_eq!(beside(&file), ["a.db"]);
}
