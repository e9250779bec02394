//! Files that are not what they should be.

use std::fs;
use std::path::Path;

use futures::TryStreamExt as _;
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::{Key, Prefix, StorageExt as _};
use proptest::prelude::*;
use rusqlite::Connection;

use super::{open, open_with};

async fn written(file: &Path) {
    let storage = open(file).await;
    for number in 0..40_usize {
        let key = Key::new(format!("log/{number}")).unwrap();
        let bytes = vec![b'x'; number * 3000];
        let _written = storage.create(&key, bytes.into()).await.unwrap();
    }
}

/// Reads all of it; the first error, if there is one.
async fn read(file: &Path) -> Result<()> {
    let storage = open_with(file, &[]).await?;
    let listed: Vec<_> = storage.list(&Prefix::all(), None).try_collect().await?;
    for object in listed {
        storage.get_all(&object.key).await?;
    }
    Ok(())
}

fn is_clear(error: &Error) -> bool {
    let kinds = [
        ErrorKind::Corrupt,
        ErrorKind::Invalid,
        ErrorKind::Incompatible,
    ];
    kinds.contains(&error.kind())
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    fs::write(
        &file,
        "not a database, but long enough to be read as one".repeat(100),
    )
    .unwrap();
    let error = read(&file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("a.db"), "{error}");
}

#[tokio::test]
async fn a_database_of_another_application_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    let connection = Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE t (a)").unwrap();
    drop(connection);
    let before = fs::read(&file).unwrap();
    let error = read(&file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_cut_file_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    written(&file).await;
    let whole = fs::read(&file).unwrap();
    for parts in [2, 3, 10] {
        let cut = whole.len() / parts;
        fs::write(&file, &whole[..cut - cut % 4096]).unwrap();
        let error = read(&file).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[tokio::test]
async fn an_object_that_lost_a_row_is_corrupt_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    let storage = open(&file).await;
    let key = Key::new("pack/1").unwrap();
    let _written = storage.create(&key, vec![1; 3 << 20].into()).await.unwrap();
    for damage in [
        "DELETE FROM chunk WHERE number = 1",
        "UPDATE chunk SET bytes = x'00' WHERE number = 2",
        "UPDATE object SET size = 9999999999",
        "UPDATE object SET size = -1",
        "UPDATE object SET size = 4000",
    ] {
        let connection = Connection::open(&file).unwrap();
        assert_eq!(connection.execute(damage, []).unwrap(), 1);
        let error = storage.get_all(&key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{damage}: {error}");
        assert!(error.to_string().contains("pack/1"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_file_with_changed_bytes_is_read_or_refused_and_nothing_else(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("a.db");
            written(&file).await;
            let mut bytes = fs::read(&file).unwrap();
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            fs::write(&file, bytes).unwrap();
            if let Err(error) = read(&file).await {
                assert!(is_clear(&error), "{error:?}");
            }
        });
    }
}
