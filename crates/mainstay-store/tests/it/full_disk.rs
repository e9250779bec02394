//! The disk is full: a small ext4 in an image. Skipped like the power cuts.

use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;
use mainstay_store::{
    Durability, Key, LocalStorage, Prefix, PutMode, PutOutcome, Storage as _, StorageExt as _,
};

use crate::image::{Image, cuts, skipped};
use crate::payload::{is_whole, open, self_checking};

const LEN: usize = 100_000;

#[tokio::test]
async fn a_full_disk_is_a_clear_error_that_leaves_the_old_state_and_passes_with_the_shortage() {
    if cuts() == 0 {
        println!("skipped: a full disk: MAINSTAY_POWER_CUTS is not set");
        return;
    }
    for durability in [Durability::Strict, Durability::Batch] {
        let dir = tempfile::tempdir().unwrap();
        let image = Image::make(dir.path(), "ext4", 8 << 20);
        let mount = match image.and_then(|image| image.mount(&[])) {
            Ok(mount) => mount,
            Err(reason) => return skipped("a full disk", &reason),
        };
        let storage = open(&mount.path().join("root"), durability).await;
        let written = fill(&storage).await;
        assert!(written.len() > 10);
        check(&storage, &written).await;

        // Neither can an object be replaced, and the old one stays.
        let error = put(&storage, &written[0], LEN + 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        check(&storage, &written).await;

        for key in &written[1..] {
            storage.delete(key).await.unwrap();
        }
        let outcome = put(&storage, &written[0], LEN + 1).await.unwrap();
        assert_eq!(outcome, PutOutcome::Written);
        check(&storage, &written[..1]).await;
    }
}

async fn put(storage: &LocalStorage, key: &Key, len: usize) -> mainstay_core::Result<PutOutcome> {
    let bytes = self_checking(key, len);
    storage.put(key, bytes, PutMode::Overwrite).await
}

/// Writes objects, several at a time, until one does not fit.
async fn fill(storage: &LocalStorage) -> Vec<Key> {
    let mut written = Vec::new();
    for round in 0.. {
        let keys = [0, 1, 2, 3].map(|n| Key::new(format!("pack/{round}-{n}")).unwrap());
        let puts = keys.iter().map(|key| put(storage, key, LEN));
        let mut full = false;
        for (key, outcome) in keys.iter().zip(futures::future::join_all(puts).await) {
            match outcome {
                Ok(outcome) => {
                    assert_eq!(outcome, PutOutcome::Written);
                    written.push(key.clone());
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    assert!(error.to_string().contains("no space left"), "{error}");
                    assert!(!error.is_ambiguous());
                    full = true;
                }
            }
        }
        if full {
            break;
        }
    }
    written.sort();
    written
}

/// The storage holds these and nothing else.
async fn check(storage: &LocalStorage, keys: &[Key]) {
    let all = Prefix::all();
    let listed: Vec<_> = storage.list(&all, None).try_collect().await.unwrap();
    assert!(listed.iter().map(|object| &object.key).eq(keys));
    for key in keys {
        let bytes = storage.get_all(key).await.unwrap().unwrap();
        assert!(is_whole(key, &bytes), "{key} is torn");
    }
    let staged = std::fs::read_dir(storage.root().join(".staging")).unwrap();
    assert_eq!(staged.count(), 0);
}
