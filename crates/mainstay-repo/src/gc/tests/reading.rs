//! What statistics say that reading takes is what it takes.

use mainstay_core::RefPath;
use mainstay_store::MeterStorage;

use super::order::{MIB, cost, edited};
use super::*;
use crate::{ReadingStats, ScatteredBlob, TreeBuilder, TreeEntry};

async fn reading(repo: &Repo) -> ReadingStats {
    repo.stats().await.unwrap().reading
}

#[tokio::test]
async fn the_requests_of_statistics_are_those_of_readers() {
    for seed in 0..3 {
        let mut world = World::new();
        let repo = world.open().await;
        let mut contents = BTreeMap::new();
        for (n, len) in [9 * MIB, 3 * MIB, 100_000].into_iter().enumerate() {
            let mut content = random_bytes(len, seed * 10 + n as u64);
            for version in 0..6 {
                let stored = Bytes::from(content.clone());
                put(
                    &repo,
                    &format!("files/f{n}/{version}"),
                    std::slice::from_ref(&stored),
                )
                .await;
                contents.insert(format!("files/f{n}/{version}"), stored);
                content = edited(content, 3, seed + version);
            }
        }
        // In its manifest, and one that no ref reaches any more.
        put(&repo, "files/small", &["small".into()]).await;
        put(&repo, "files/gone", &[big(9)]).await;
        drop_ref(&repo, "files/gone").await;

        let found = reading(&world.open().await).await;
        let mut costs: BTreeMap<RefPath, u64> = BTreeMap::new();
        for (path, content) in &contents {
            let cost = cost(&mut world, content).await;
            assert!(cost >= (content.len() as u64).div_ceil(4 << 20));
            costs.insert(path.parse().unwrap(), cost);
        }
        let requests: u64 = costs.values().sum();
        assert_eq!(found.requests, requests);
        let bytes: usize = contents.values().map(Bytes::len).sum();
        let bytes = bytes as u64;
        assert_eq!((found.blobs, found.bytes), (costs.len() as u64, bytes));
        assert_eq!(found.requests_per_gib, (requests << 30).div_ceil(bytes));
        assert!((18..requests).contains(&found.least_requests), "{found:?}");

        assert_eq!(found.worst.len(), 5);
        let needless = |blob: &ScatteredBlob| blob.requests - blob.least_requests;
        assert!(
            found
                .worst
                .is_sorted_by_key(|blob| std::cmp::Reverse(needless(blob)))
        );
        for blob in &found.worst {
            assert_eq!(costs[&blob.path], blob.requests, "{blob:?}");
            assert_eq!(blob.blob, Digest::of(&contents[blob.path.as_str()]));
        }
        let most = costs.values().max().unwrap();
        assert!(needless(&found.worst[0]) + 6 >= *most, "{found:?}");
    }
}

#[tokio::test]
async fn what_trees_hold_is_counted_and_named_by_their_refs() {
    let mut world = World::new();
    let repo = world.open().await;
    let before = random_bytes(2 * MIB, 1);
    put(&repo, "files/before", &[before.clone().into()]).await;
    let after = edited(before, 4, 2);
    let mut ingest = repo.ingest();
    let blob = ingest.bytes(after.clone().into()).await.unwrap().digest;
    let mut tree = TreeBuilder::new();
    let entry = TreeEntry::new("model", 1.into(), [blob]);
    tree.add(&mut ingest, &entry).await.unwrap();
    let root = tree.finish(&mut ingest).await.unwrap().root;
    ingest.finish().await.map(drop).unwrap();
    let mut transaction = Transaction::new(tester(), "test");
    let value = Value::new("files", &1).unwrap().with_trees([root]);
    transaction.set("data/d/version/1".parse().unwrap(), value, Expectation::Any);
    repo.commit(transaction).await.map(drop).unwrap();
    drop_ref(&repo, "files/before").await;

    let found = reading(&repo).await;
    assert_eq!((found.blobs, found.bytes), (1, after.len() as u64));
    assert_eq!(found.requests, cost(&mut world, &after.into()).await);
    assert!(found.requests > found.least_requests);
    assert_eq!(found.worst[0].path, "data/d/version/1".parse().unwrap());
    assert_eq!(found.worst[0].blob, blob);
}

#[tokio::test]
async fn what_some_refs_take_and_others_share_is_read_once() {
    let mut world = World::new();
    let repo = world.open().await;
    let blobs = store(&repo, &[big(1), big(2)]).await.unwrap();
    name(&repo, "files/a", vec![blobs[0]]).await.unwrap();
    name(&repo, "files/b", blobs).await.unwrap();
    let mut requests = Vec::new();
    for prefix in ["files", "files/a"] {
        let metered = Arc::new(MeterStorage::new(Arc::clone(&world.storage)));
        let repo = world.open_on(Arc::clone(&metered) as _).await;
        let before = metered.reading();
        let explained = repo.explain_refs(prefix).await.unwrap();
        assert!(explained.exclusive_bytes == 0 || prefix == "files");
        requests.push((metered.reading() - before).requests());
    }
    assert_eq!(requests[0], requests[1]);
}
