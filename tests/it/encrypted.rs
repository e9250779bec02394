//! A workspace on an encrypted storage: what the storage sees, and what it can do.

use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay::repo::{Repo, RepoOptions, VerifyLevel};
use mainstay::store::{
    EncryptedStorage, EncryptionKey, Key, KeyId, MemoryStorage, Prefix, PutMode, StaticKeys,
    Storage, StorageExt as _,
};
use mainstay::{Digest, Workspace};
use tests::story::fill;

/// What stands in the records and files of the story.
const SAID: [&str; 4] = ["penguins", "species", "explain", "second"];

fn encrypted(raw: &Arc<MemoryStorage>) -> Arc<dyn Storage> {
    let key = EncryptionKey::from_bytes([7; 32]);
    let keys = StaticKeys::new(KeyId::new("k").unwrap(), key);
    Arc::new(EncryptedStorage::new(Arc::clone(raw), Arc::new(keys)))
}

async fn filled(storage: Arc<dyn Storage>) -> Workspace {
    let workspace = Workspace::create_on(storage, RepoOptions::default());
    let workspace = workspace.await.unwrap();
    let scratch = tempfile::tempdir().unwrap();
    fill(&workspace, scratch.path()).await.unwrap();
    workspace
}

async fn keys(storage: &dyn Storage, directory: &str) -> Vec<Key> {
    let prefix = Prefix::directory(directory).unwrap();
    let listed: Vec<_> = storage.list(&prefix, None).try_collect().await.unwrap();
    listed.into_iter().map(|object| object.key).collect()
}

/// Returns which of [`SAID`] can be read in the storage.
async fn readable(storage: &dyn Storage) -> Vec<&'static str> {
    let mut all = Vec::new();
    let listed = storage.list(&Prefix::all(), None);
    let objects: Vec<_> = listed.try_collect().await.unwrap();
    for object in objects {
        all.extend(storage.get_all(&object.key).await.unwrap().unwrap());
    }
    let is_in = |word: &&str| all.windows(word.len()).any(|part| part == word.as_bytes());
    SAID.into_iter().filter(is_in).collect()
}

#[tokio::test]
async fn a_storage_sees_no_content_of_an_encrypted_workspace() {
    let plain = Arc::new(MemoryStorage::new());
    filled(Arc::clone(&plain) as _).await;
    assert_eq!(readable(&plain).await, SAID);

    let raw = Arc::new(MemoryStorage::new());
    let workspace = filled(encrypted(&raw)).await;
    assert!(readable(&raw).await.is_empty());
    let report = workspace.repo().verify(VerifyLevel::Full).await.unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
}

#[tokio::test]
async fn a_pack_that_was_damaged_before_it_was_indexed_is_mended_by_storing_it_again() {
    let raw = Arc::new(MemoryStorage::new());
    let bytes = b"a blob of some length, so that it has a pack".repeat(1_000);
    let digest = store(&encrypted(&raw), bytes.clone()).await;
    for index in keys(&raw, "index").await {
        raw.delete(&index).await.unwrap();
    }
    for pack in keys(&raw, "pack").await {
        let mut stored = raw.get_all(&pack).await.unwrap().unwrap().to_vec();
        stored[100] ^= 1;
        let written = raw.put(&pack, stored.into(), PutMode::Overwrite).await;
        written.map(drop).unwrap();
    }

    let storage = encrypted(&raw);
    store(&storage, bytes.clone()).await;
    let repo = Repo::open(storage, RepoOptions::default()).await.unwrap();
    let blob = repo.blob(&digest).await.unwrap().unwrap();
    assert_eq!(blob.bytes().await.unwrap(), bytes);
}

async fn store(storage: &Arc<dyn Storage>, bytes: Vec<u8>) -> Digest {
    let repo = Repo::create(Arc::clone(storage), RepoOptions::default());
    let repo = repo.await.unwrap();
    let mut ingest = repo.ingest();
    let stored = ingest.bytes(bytes.into()).await.unwrap();
    ingest.finish().await.map(drop).unwrap();
    stored.digest
}

/// Today's shortcoming, which `docs/threat-model.md` tells.
#[tokio::test]
async fn an_end_of_the_log_that_was_taken_away_is_not_missed() {
    let raw = Arc::new(MemoryStorage::new());
    let workspace = filled(encrypted(&raw)).await;
    let written = workspace.repo().view().await.unwrap().seq();
    let last = keys(&raw, "log").await.pop().unwrap();
    raw.delete(&last).await.unwrap();

    let reopened = Workspace::open_on(encrypted(&raw), RepoOptions::default());
    let reopened = reopened.await.unwrap();
    assert_eq!(reopened.repo().view().await.unwrap().seq(), written - 1);
    let report = reopened.repo().verify(VerifyLevel::Quick).await.unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    // A process that has seen the entry does miss it.
    let report = workspace.repo().verify(VerifyLevel::Quick).await.unwrap();
    assert!(!report.faults.is_empty());
}
