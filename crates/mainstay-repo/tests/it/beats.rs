//! Beats: what was alive when, outside of the log.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mainstay_core::{ErrorKind, NodeRef};
use mainstay_store::{Key, MemoryStorage, Prefix, PutMode, Storage, StorageExt as _};

use futures::TryStreamExt as _;

use crate::support::repo;

async fn keys(storage: &Arc<dyn Storage>) -> Vec<Key> {
    let listed = storage.list(&Prefix::directory("beat").unwrap(), None);
    listed.map_ok(|meta| meta.key).try_collect().await.unwrap()
}

#[tokio::test]
async fn a_beat_is_one_object_that_the_next_one_replaces_and_no_log_entry() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = repo(&storage, 11).await;
    let of: NodeRef = "deployment:web@3".parse().unwrap();
    assert_eq!(repo.last_beat(&of).await.unwrap(), None);
    let head = repo.view().await.unwrap().seq();
    repo.beat(&of).await.unwrap();
    let second = repo.beat(&of).await.unwrap();
    assert_eq!(repo.last_beat(&of).await.unwrap(), Some(second));
    assert_eq!(keys(&storage).await.len(), 1);
    assert_eq!(repo.view().await.unwrap().seq(), head);
    repo.forget_beat(&of).await.unwrap();
    repo.forget_beat(&of).await.unwrap();
    assert_eq!(repo.last_beat(&of).await.unwrap(), None);
    assert_eq!(keys(&storage).await, []);
}

#[tokio::test]
async fn a_beat_is_stored_as_version_1_says() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = repo(&storage, 11).await;
    let of: NodeRef = "deployment:web@3".parse().unwrap();
    repo.beat(&of).await.unwrap();
    let key = keys(&storage).await.remove(0);
    let stored = storage.get_all(&key).await.unwrap().unwrap();
    let stored = format!("{key}\n{}\n", std::str::from_utf8(&stored).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/beat/v1/object.txt");
    if !path.exists() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &stored).unwrap();
    }
    assert_eq!(stored, fs::read_to_string(path).unwrap());
}

#[tokio::test]
async fn a_damaged_or_foreign_beat_is_named_and_the_next_one_heals_it() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let repo = repo(&storage, 11).await;
    let of: NodeRef = "deployment:web@3".parse().unwrap();
    let other: NodeRef = "deployment:web@4".parse().unwrap();
    repo.beat(&other).await.unwrap();
    let elsewhere = keys(&storage).await.remove(0);
    let foreign = storage.get_all(&elsewhere).await.unwrap().unwrap();
    repo.forget_beat(&other).await.unwrap();
    repo.beat(&of).await.unwrap();
    let key = keys(&storage).await.remove(0);
    let good = storage.get_all(&key).await.unwrap().unwrap();
    let newer = String::from_utf8(good.to_vec()).unwrap();
    let newer = newer.replace(r#""format":1"#, r#""format":2"#);
    let long = vec![b' '; 5_000];
    for (bytes, kind) in [
        (foreign.to_vec(), ErrorKind::Corrupt),
        (good[..good.len() - 1].to_vec(), ErrorKind::Corrupt),
        (long, ErrorKind::Corrupt),
        (newer.into_bytes(), ErrorKind::Incompatible),
    ] {
        let put = storage.put(&key, bytes.into(), PutMode::Overwrite).await;
        let _ = put.unwrap();
        let error = repo.last_beat(&of).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(key.as_str()), "{error}");
    }
    let seen = repo.beat(&of).await.unwrap();
    assert_eq!(repo.last_beat(&of).await.unwrap(), Some(seen));
}
