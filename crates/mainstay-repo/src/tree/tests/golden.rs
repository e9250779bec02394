//! What is stored of trees, byte for byte as the version that introduced it wrote it.

use std::fs;
use std::path::Path;

use mainstay_store::StorageExt as _;

use super::*;
use crate::log::entry::Entry;
use crate::tree::page::Page;

fn check(name: &str, written: &[u8]) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tree/v1");
    let path = golden.join(name);
    if !path.exists() {
        fs::create_dir_all(&golden).unwrap();
        fs::write(&path, written).unwrap();
    }
    let stored = String::from_utf8(fs::read(&path).unwrap()).unwrap();
    assert_eq!(stored, String::from_utf8_lossy(written), "{name}");
}

#[tokio::test]
async fn pages_entries_and_shards_are_those_of_version_1() {
    let storage = Arc::new(MemoryStorage::new());
    let clock = clock();
    let options = RepoOptions::default()
        .with_clock(Arc::clone(&clock) as _)
        .with_ids(Arc::new(SeededIds::new(7)))
        .with_timer(Arc::new(NoWait::default()))
        .with_checkpoint_every(1);
    let repo = Repo::create(Arc::clone(&storage) as _, options)
        .await
        .unwrap();
    let model = numbered(200);
    let root = store(&repo, &model, true).await.root;
    let page = repo
        .blob(&root)
        .await
        .unwrap()
        .unwrap()
        .bytes()
        .await
        .unwrap();
    check("branch.json", &page);
    let Page::Branch { level: 1, pages } = Page::decode(&root, &page).unwrap() else {
        panic!("200 entries are two levels");
    };
    let leaf = repo.blob(&pages[0].page).await.unwrap().unwrap();
    check("leaf.json", &leaf.bytes().await.unwrap());

    let value = Value::new("files", &"all").unwrap().with_trees([root]);
    let mut transaction = Transaction::new(Actor::new("ada").unwrap(), "why");
    let path = "data/d/version/1".parse().unwrap();
    transaction.set(path, value.clone(), Expectation::Absent);
    drop(repo.commit(transaction).await.unwrap());
    repo.settle().await;
    let in_log = storage
        .get_all(&crate::log::entry::key(1))
        .await
        .unwrap()
        .unwrap();
    check("entry.json", &in_log);
    let entry = Entry::decode(1, &in_log).unwrap();
    assert_eq!(entry.transactions[0].changes[0].value, Some(value.clone()));
    let listed = storage.list(&Prefix::directory("shard").unwrap(), None);
    let mut shards = Vec::new();
    for object in listed.try_collect::<Vec<_>>().await.unwrap() {
        let shard = storage.get_all(&object.key).await.unwrap().unwrap();
        if shard.starts_with(br#"{"format":2,"#) {
            shards.push(shard);
        }
    }
    assert_eq!(shards.len(), 1);
    check("shard.json", &shards[0]);
    // Opened anew, out of the checkpoint.
    let again = open(storage, &clock, 8).await;
    let path = "data/d/version/1".parse().unwrap();
    let read = again
        .read(|view| Ok(view.get(&path)?.cloned()))
        .await
        .unwrap();
    assert_eq!(read.unwrap().value, Some(value));
}
