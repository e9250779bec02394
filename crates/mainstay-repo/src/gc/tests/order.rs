//! In which order records are written again: blobs are read by few requests afterwards.

use mainstay_store::MeterStorage;

use super::*;

pub(super) const MIB: usize = 1 << 20;

/// Collects, a grace apart, until there is nothing more to do.
async fn settle(repo: &Repo, world: &World) {
    for _ in 0..10 {
        world.clock.advance(GRACE);
        let plan = repo.plan_collection(&options()).await.unwrap();
        let applied = repo.apply_collection(&plan, tester(), "collect").await;
        if applied.unwrap() == CollectionReport::default() {
            return;
        }
    }
    panic!("collection does not come to an end");
}

/// How many requests it takes a new process to read a blob, once it knows where that is.
pub(super) async fn cost(world: &mut World, content: &Bytes) -> u64 {
    let metered = Arc::new(MeterStorage::new(Arc::clone(&world.storage)));
    let repo = world.open_on(Arc::clone(&metered) as _).await;
    let blob = repo.blob(&Digest::of(content)).await.unwrap().unwrap();
    // An index is read as far as a look-up needs it: one of what is not there needs all of it.
    let nowhere = Digest::of(b"stored nowhere");
    assert!(repo.blob(&nowhere).await.unwrap().is_none());
    blob.range(0..1).await.unwrap();
    let before = metered.reading();
    assert_eq!(blob.bytes().await.unwrap(), content);
    (metered.reading() - before).requests()
}

/// The same with some blocks changed.
pub(super) fn edited(mut content: Vec<u8>, blocks: usize, seed: u64) -> Vec<u8> {
    const BLOCK: usize = 64 * 1024;
    let places = random_bytes(blocks * 4, seed + 1000);
    for (number, place) in places.as_chunks::<4>().0.iter().enumerate() {
        let at = u32::from_le_bytes(*place) as usize % (content.len() - BLOCK);
        let block = random_bytes(BLOCK, seed * 1000 + number as u64);
        content[at..at + BLOCK].copy_from_slice(&block);
    }
    content
}

#[tokio::test]
async fn what_is_written_again_keeps_the_order_of_its_bytes() {
    let mut world = World::new();
    let repo = world.open().await;
    let [kept, dropped] = [1, 2].map(|seed| Bytes::from(random_bytes(6 * MIB, seed)));
    let blobs = store(&repo, &[kept.clone(), dropped]).await.unwrap();
    name(&repo, "files/kept", vec![blobs[0]]).await.unwrap();
    name(&repo, "files/dropped", vec![blobs[1]]).await.unwrap();
    let before = cost(&mut world, &kept).await;
    drop_ref(&repo, "files/dropped").await;
    let packs: Vec<_> = objects(&*world.storage).await.into_keys().collect();
    settle(&repo, &world).await;
    let after: Vec<_> = objects(&*world.storage).await.into_keys().collect();
    assert!(
        packs
            .iter()
            .any(|key| key.as_str().starts_with("pack/") && !after.contains(key))
    );
    assert_eq!(cost(&mut world, &kept).await, before);
}

#[tokio::test]
async fn a_version_in_many_pieces_is_put_together() {
    const BLOCK: usize = 64 * 1024;
    let mut world = World::new();
    let repo = world.open().await;
    let mut content = random_bytes(4 * MIB, 0);
    let mut places = random_bytes(1000, 1).into_iter().map(usize::from);
    for version in 1..16 {
        put(&repo, "files/model", &[Bytes::from(content.clone())]).await;
        for place in places.by_ref().take(8) {
            let at = place * BLOCK % content.len();
            content[at..at + BLOCK].copy_from_slice(&random_bytes(BLOCK, version + 100));
        }
    }
    let content = Bytes::from(content);
    put(&repo, "files/model", std::slice::from_ref(&content)).await;
    let before = cost(&mut world, &content).await;
    settle(&repo, &world).await;
    let after = cost(&mut world, &content).await;
    assert!(after * 2 <= before, "{after}, and {before} before");
}
