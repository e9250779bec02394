//! The stored format: `docs/formats/sql-storage.md`.

use std::fs;
use std::path::Path;

use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_store::{Key, ObjectMeta, Prefix, PutOutcome, StorageExt as _};
use rusqlite::Connection;

use super::{open, open_with};

#[tokio::test]
async fn tables_of_a_newer_version_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.db");
    drop(open(&file).await);
    let connection = Connection::open(&file).unwrap();
    connection
        .execute("UPDATE format SET version = 2", [])
        .unwrap();
    drop(connection);
    let before = fs::read(&file).unwrap();
    for options in [&[][..], &[("read_only", "true")]] {
        let error = open_with(&file, options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.to_string().contains("version: 2"), "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn the_golden_file_of_version_1_is_read_and_written_on() {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/sql-storage/v1/storage.db"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("storage.db");
    fs::copy(Path::new(golden), &file).unwrap();
    let main = open(&file).await;
    let listed: Vec<_> = main.list(&Prefix::all(), None).try_collect().await.unwrap();
    let wanted = [
        ("empty", 0),
        ("log/1", 5),
        ("log/2", 6),
        ("pack/1", 1_048_579),
    ];
    let wanted = wanted.map(|(key, size)| ObjectMeta {
        key: Key::new(key).unwrap(),
        size,
    });
    assert_eq!(listed, wanted);
    let read = async |key: &str| {
        main.get_all(&Key::new(key).unwrap())
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(read("empty").await, "");
    assert_eq!(read("log/1").await, "first");
    assert_eq!(read("log/2").await, "second");
    let pack = read("pack/1").await;
    assert!(pack[..1_048_576].iter().all(|byte| *byte == 0));
    assert_eq!(pack.slice(1_048_576..), "end");

    let other = open_with(&file, &[("namespace", "other")]).await.unwrap();
    let key = Key::new("log/1").unwrap();
    assert_eq!(other.get_all(&key).await.unwrap().unwrap(), "other");
    let key = Key::new("log/3").unwrap();
    let outcome = main.create(&key, "third".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
}
