//! A snapshot shows what a store shows that holds the same files.

#![expect(clippy::unwrap_used, reason = "tests")]

mod parquet;
#[cfg(feature = "object_store_0_13")]
mod v0_13;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::Actor;
use mainstay_data::{Datasets, SnapshotSpec};
use mainstay_data_object::SnapshotStore;
use mainstay_data_object::object_store::memory::InMemory;
use mainstay_data_object::object_store::path::Path;
use mainstay_data_object::object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutPayload,
};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::MemoryStorage;

/// Files whose names sort before, between and after their directories, and need encoding.
const FILES: &[&str] = &[
    "a-b/c.bin",
    "a/b/c.bin",
    "a/b.bin",
    "a/b/d e.bin",
    "a/b#1/percent%20.bin",
    "ab/x.bin",
    "z.bin",
    "ä/ö.bin",
];

struct Pair {
    snapshot: SnapshotStore,
    model: InMemory,
}

async fn pair() -> Pair {
    let directory = tempfile::tempdir().unwrap();
    let model = InMemory::new();
    for (index, name) in FILES.iter().enumerate() {
        let bytes: Vec<u8> = (0_u8..=255).cycle().take(index * 40_000 + 1).collect();
        let file = directory.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, &bytes).unwrap();
        let payload = PutPayload::from(Bytes::from(bytes));
        model.put(&Path::from(*name), payload).await.unwrap();
    }
    let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default());
    let datasets = Datasets::new(repo.await.unwrap());
    let spec = SnapshotSpec::new(
        "files".parse().unwrap(),
        Actor::new("ada").unwrap(),
        "every kind of path",
    );
    datasets
        .snapshot(spec.with_path(directory.path()))
        .await
        .unwrap();
    let locator = "files@latest".parse().unwrap();
    let snapshot = SnapshotStore::open(&datasets, &locator).await.unwrap();
    Pair { snapshot, model }
}

async fn listed(store: &dyn ObjectStore, prefix: Option<&Path>) -> BTreeMap<Path, u64> {
    let found = store.list(prefix).try_collect::<Vec<_>>().await.unwrap();
    let by_path = found.into_iter().map(|meta| (meta.location, meta.size));
    by_path.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_lists_what_a_store_with_the_same_files_lists() {
    let Pair { snapshot, model } = pair().await;
    let prefixes = ["", "a", "a/b", "a/b#1", "a/b.bin", "ab", "b", "z.bin", "ä"].map(Path::from);
    for prefix in &prefixes {
        let prefix = Some(prefix);
        let expected = listed(&model, prefix).await;
        assert_eq!(listed(&snapshot, prefix).await, expected, "{prefix:?}");

        let [ours, theirs] = [
            snapshot.list_with_delimiter(prefix).await.unwrap(),
            model.list_with_delimiter(prefix).await.unwrap(),
        ]
        .map(|found| {
            let objects = found.objects.into_iter();
            let objects: Vec<_> = objects.map(|meta| (meta.location, meta.size)).collect();
            (objects, found.common_prefixes)
        });
        assert_eq!(ours, theirs, "{prefix:?}");

        for offset in &prefixes {
            let [ours, theirs] = [&snapshot as &dyn ObjectStore, &model]
                .map(|store| store.list_with_offset(prefix, offset));
            let ours: Vec<_> = ours
                .map_ok(|meta| meta.location)
                .try_collect()
                .await
                .unwrap();
            let theirs: Vec<_> = theirs
                .map_ok(|meta| meta.location)
                .try_collect()
                .await
                .unwrap();
            assert_eq!(ours, theirs, "{prefix:?} after {offset}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_range_reads_as_from_a_store_with_the_same_files() {
    let Pair { snapshot, model } = pair().await;
    for (path, size) in listed(&model, None).await {
        let ranges = [
            None,
            Some(GetRange::Bounded(0..1)),
            Some(GetRange::Bounded(size / 2..size + 7)),
            Some(GetRange::Bounded(size..size + 1)),
            Some(GetRange::Offset(size / 3)),
            Some(GetRange::Suffix(5)),
        ];
        for range in ranges {
            let options = GetOptions::new().with_range(range.clone());
            let ours = snapshot.get_opts(&path, options.clone()).await;
            let theirs = model.get_opts(&path, options).await;
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => {
                    assert_eq!(ours.range, theirs.range, "{path} {range:?}");
                    let bytes = ours.bytes().await.unwrap();
                    assert_eq!(bytes, theirs.bytes().await.unwrap(), "{path} {range:?}");
                }
                (Err(_), Err(_)) => {}
                other => panic!("{path} {range:?}: {other:?}"),
            }
        }
        let head = snapshot.head(&path).await.unwrap();
        assert_eq!((&head.location, head.size), (&path, size));
        let same = GetOptions::new().with_if_none_match(head.e_tag);
        let unchanged = snapshot.get_opts(&path, same).await.unwrap_err();
        assert!(matches!(unchanged, Error::NotModified { .. }));
    }
    let absent = snapshot.get(&"a/none".into()).await.unwrap_err();
    assert!(matches!(absent, Error::NotFound { path, .. } if path == "a/none"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_through_it() {
    let Pair { snapshot, model } = pair().await;
    let path = Path::from("z.bin");
    let refused = [
        snapshot.put(&path, PutPayload::new()).await.map(drop),
        snapshot.put_multipart(&path).await.map(drop),
        snapshot.delete(&path).await,
        snapshot.copy(&path, &"y.bin".into()).await,
        snapshot.rename(&path, &"y.bin".into()).await,
    ];
    for outcome in refused {
        assert!(
            matches!(outcome, Err(Error::NotImplemented { .. })),
            "{outcome:?}"
        );
    }
    assert_eq!(listed(&snapshot, None).await, listed(&model, None).await);
}
