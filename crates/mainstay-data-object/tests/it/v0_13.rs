//! What engines see that are built on an earlier version of `object_store`.

use futures::TryStreamExt as _;
use mainstay_data_object::object_store as newer;
use mainstay_data_object::v0_13::SnapshotStore;
use mainstay_data_object::v0_13::object_store::path::Path;
use mainstay_data_object::v0_13::object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutPayload,
};
use newer::ObjectStore as _;

use crate::{Pair, pair};

type Told = (String, u64, Option<String>);

fn told(meta: ObjectMeta) -> Told {
    (meta.location.to_string(), meta.size, meta.e_tag)
}

fn told_newer(meta: newer::ObjectMeta) -> Told {
    (meta.location.to_string(), meta.size, meta.e_tag)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_the_same_files() {
    let Pair { snapshot, .. } = pair().await;
    let store = SnapshotStore::from(snapshot.clone());
    let prefixes = ["", "a", "a/b", "a/b#1", "a/b.bin", "ab", "b", "ä"];
    for prefix in prefixes {
        let (old, new) = (Path::from(prefix), newer::path::Path::from(prefix));
        let ours: Vec<Told> = store
            .list(Some(&old))
            .map_ok(told)
            .try_collect()
            .await
            .unwrap();
        let theirs = snapshot.list(Some(&new)).map_ok(told_newer);
        assert_eq!(
            ours,
            theirs.try_collect::<Vec<_>>().await.unwrap(),
            "{prefix}"
        );

        let (ours, theirs) = tokio::join!(
            store.list_with_delimiter(Some(&old)),
            snapshot.list_with_delimiter(Some(&new)),
        );
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        let below: Vec<String> = ours.common_prefixes.iter().map(Path::to_string).collect();
        let expected = theirs.common_prefixes.iter().map(ToString::to_string);
        assert_eq!(below, expected.collect::<Vec<_>>(), "{prefix}");
        let objects: Vec<Told> = ours.objects.into_iter().map(told).collect();
        let expected = theirs.objects.into_iter().map(told_newer);
        assert_eq!(objects, expected.collect::<Vec<_>>(), "{prefix}");

        let ours: Vec<Told> = store
            .list_with_offset(None, &old)
            .map_ok(told)
            .try_collect()
            .await
            .unwrap();
        let theirs = snapshot.list_with_offset(None, &new).map_ok(told_newer);
        assert_eq!(
            ours,
            theirs.try_collect::<Vec<_>>().await.unwrap(),
            "{prefix}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_the_same_bytes() {
    let Pair { snapshot, .. } = pair().await;
    let store = SnapshotStore::from(snapshot.clone());
    for meta in store.list(None).try_collect::<Vec<_>>().await.unwrap() {
        let path = newer::path::Path::parse(meta.location.as_ref()).unwrap();
        let whole = snapshot
            .get_opts(&path, newer::GetOptions::new())
            .await
            .unwrap();
        let whole = whole.bytes().await.unwrap();
        let size = meta.size;
        let ranges = [
            (None, 0..size),
            (Some(GetRange::Bounded(0..1)), 0..1),
            (Some(GetRange::Offset(size / 3)), size / 3..size),
            (Some(GetRange::Suffix(1)), size - 1..size),
        ];
        for (range, expected) in ranges {
            let options = GetOptions {
                range: range.clone(),
                ..GetOptions::default()
            };
            let found = store.get_opts(&meta.location, options).await.unwrap();
            assert_eq!(found.range, expected, "{path} {range:?}");
            let expected = [expected.start, expected.end].map(|at| usize::try_from(at).unwrap());
            assert_eq!(
                found.bytes().await.unwrap(),
                whole[expected[0]..expected[1]],
                "{path} {range:?}"
            );
        }
        let same = GetOptions {
            if_none_match: meta.e_tag.clone(),
            ..GetOptions::default()
        };
        let unchanged = store.get_opts(&meta.location, same).await.unwrap_err();
        assert!(matches!(unchanged, Error::NotModified { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fails_the_same_way() {
    let Pair { snapshot, .. } = pair().await;
    let store = SnapshotStore::from(snapshot);
    let absent = store.get(&"a/none".into()).await.unwrap_err();
    assert!(matches!(absent, Error::NotFound { path, .. } if path == "a/none"));
    let path = Path::from("z.bin");
    let refused = [
        store.put(&path, PutPayload::new()).await.map(drop),
        store.put_multipart(&path).await.map(drop),
        store.delete(&path).await,
        store.copy(&path, &"y.bin".into()).await,
    ];
    for outcome in refused {
        assert!(
            matches!(outcome, Err(Error::NotImplemented { .. })),
            "{outcome:?}"
        );
    }
}
