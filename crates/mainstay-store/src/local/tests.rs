use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{fs, io};

use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{ManualClock, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::StorageExt as _;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

async fn opened() -> (TempDir, LocalStorage) {
    let dir = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(dir.path(), LocalOptions::default())
        .await
        .unwrap();
    (dir, storage)
}

async fn keys(storage: &LocalStorage) -> Vec<String> {
    let listed = storage
        .list(&Prefix::all(), None)
        .map_ok(|object| object.key.to_string());
    listed.try_collect().await.unwrap()
}

#[tokio::test]
async fn objects_outlive_the_value_and_usual_keys_are_their_paths() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("new/deep/root");
    let options = LocalOptions::default();
    let storage = LocalStorage::open(&root, options.clone()).await.unwrap();
    let outcome = storage.create(&key("log/1"), "one".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
    assert_eq!(fs::read(root.join("log/1")).unwrap(), b"one");
    let outcome = storage
        .put(&key("log/1"), "two".into(), PutMode::Overwrite)
        .await;
    assert_eq!(outcome.unwrap(), PutOutcome::Written);
    drop(storage);

    let storage = LocalStorage::open(&root, options).await.unwrap();
    assert_eq!(
        storage.get_all(&key("log/1")).await.unwrap().unwrap(),
        "two"
    );
    assert_eq!(fs::read_dir(root.join(".staging")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_root_that_is_a_file_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("file");
    fs::write(&root, "").unwrap();
    for root in [root.clone(), root.join("below")] {
        let error = LocalStorage::open(&root, LocalOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        assert!(error.to_string().contains("file"), "{error}");
    }
}

#[tokio::test]
async fn links_out_of_the_root_are_neither_read_written_nor_listed() {
    let (_dir, storage) = opened().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("1"), "secret").unwrap();
    symlink(outside.path(), storage.root().join("log")).unwrap();
    symlink(outside.path().join("1"), storage.root().join("file.1")).unwrap();
    symlink(outside.path().join("absent"), storage.root().join("file.2")).unwrap();

    for name in ["log/1", "log/2", "file.1", "file.2"] {
        let key = key(name);
        let error = storage.get(&key, ByteRange::Full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        let error = storage.create(&key, "new".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        assert!(!error.is_ambiguous());
    }
    assert!(keys(&storage).await.is_empty());
    let below = storage.list(&Prefix::directory("log").unwrap(), None);
    assert_eq!(below.count().await, 0);
    storage.delete(&key("log/1")).await.unwrap_err();
    storage.delete(&key("file.1")).await.unwrap();
    assert_eq!(fs::read(outside.path().join("1")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_not_an_object_is_not_listed() {
    let (_dir, storage) = opened().await;
    let root = storage.root().to_path_buf();
    for file in ["README", "log", "a b", ".hidden", "x~", "é", "7++"] {
        fs::write(root.join(file), "").unwrap();
    }
    fs::create_dir(root.join("a.b")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe.1"), 0o600.into()).unwrap();
    let error = storage
        .get(&key("pipe.1"), ByteRange::Full)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let error = storage.create(&key("log/1"), "".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(keys(&storage).await.is_empty());
}

#[tokio::test]
async fn staged_files_are_swept_once_they_are_a_day_old() {
    let (dir, storage) = opened().await;
    let staged = storage.root().join(".staging/dead-writer");
    fs::write(&staged, "part of an obj").unwrap();
    let written = fs::metadata(&staged).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    let clock = Arc::new(ManualClock::new(
        Timestamp::UNIX_EPOCH.saturating_add(written),
    ));
    let options = LocalOptions::default().with_clock(Arc::<ManualClock>::clone(&clock));
    let reopen = || LocalStorage::open(dir.path(), options.clone());

    clock.advance(Duration::from_hours(23));
    assert!(keys(&reopen().await.unwrap()).await.is_empty());
    assert!(staged.exists());
    clock.advance(Duration::from_hours(2));
    reopen().await.unwrap();
    assert!(!staged.exists());
}

#[tokio::test]
async fn a_writer_whose_staged_file_was_swept_fails_and_changes_nothing() {
    let (_dir, storage) = opened().await;
    let tree = &storage.tree;
    for mode in [PutMode::Create, PutMode::Overwrite] {
        let staged = tree.staging.write(b"slow", Durability::Strict).unwrap();
        tree.staging
            .sweep("9999-01-01T00:00:00Z".parse().unwrap())
            .unwrap();
        let result = match mode {
            PutMode::Create => staged.link(&tree.root, "1").map(drop),
            PutMode::Overwrite => staged.rename(&tree.root, "1"),
        };
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
    assert!(keys(&storage).await.is_empty());
}

#[tokio::test]
async fn after_a_failed_sync_the_handle_reads_but_writes_no_more() {
    let (dir, storage) = opened().await;
    storage
        .create(&key("1"), "one".into())
        .await
        .map(drop)
        .unwrap();
    storage.tree.sync_failed.store(true, Ordering::Release);
    for error in [
        storage
            .create(&key("2"), "".into())
            .await
            .map(drop)
            .unwrap_err(),
        storage.delete(&key("1")).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.is_ambiguous());
    }
    assert_eq!(storage.get_all(&key("1")).await.unwrap().unwrap(), "one");
    let reopened = LocalStorage::open(dir.path(), LocalOptions::default())
        .await
        .unwrap();
    reopened
        .create(&key("2"), "".into())
        .await
        .map(drop)
        .unwrap();
}

#[tokio::test]
async fn the_directories_of_a_key_are_settled_once() {
    let (_dir, storage) = opened().await;
    for n in 0..3 {
        let key = key(&format!("tally/a-1/{n}"));
        storage.create(&key, "".into()).await.map(drop).unwrap();
    }
    let settled = storage.tree.settled.lock().unwrap().clone();
    assert_eq!(
        settled,
        BTreeSet::from(["tally/".to_owned(), "tally/a-1+/".to_owned()])
    );
}

#[tokio::test]
async fn without_durability_everything_but_the_promise_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let options = LocalOptions::default().with_durability(Durability::None);
    let storage = LocalStorage::open(dir.path(), options).await.unwrap();
    assert!(!storage.capabilities().durable);
    storage
        .create(&key("log/1"), "one".into())
        .await
        .map(drop)
        .unwrap();
    assert_eq!(keys(&storage).await, ["log/1"]);
    storage.delete(&key("log/1")).await.unwrap();
    assert!(keys(&storage).await.is_empty());
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_tree(&from, &to);
        } else {
            fs::copy(from, to).map(drop).unwrap();
        }
    }
}

#[tokio::test]
async fn the_golden_directory_of_version_1_reads_as_its_keys_and_is_what_they_are_written_to() {
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/local-storage/v1"
    );
    let dir = tempfile::tempdir().unwrap();
    copy_tree(Path::new(golden), dir.path());
    let old = LocalStorage::open(dir.path(), LocalOptions::default())
        .await
        .unwrap();
    let listed = keys(&old).await;
    assert_eq!(
        listed,
        [
            "a",
            "a/b",
            "a/b/c.1",
            "log/00000000000000000001",
            "mainstay.json",
            "tally/m-7/r.1"
        ]
    );
    let (_dir, new) = opened().await;
    for name in &listed {
        // Each object of the fixture holds its key.
        let bytes = old.get_all(&key(name)).await.unwrap().unwrap();
        assert_eq!(bytes, name.as_bytes());
        new.create(&key(name), bytes).await.map(drop).unwrap();
    }
    assert_eq!(files(new.root()), files(old.root()));
}

/// Every file beneath a directory, with its bytes.
fn files(root: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let mut found = BTreeSet::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_path_buf();
                found.insert((name, fs::read(path).unwrap()));
            }
        }
    }
    found
}
