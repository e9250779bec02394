//! How large packs become.

use super::order::{MIB, cost};
use super::*;

/// The sizes of the packs.
async fn sizes(world: &World) -> Vec<usize> {
    let objects = objects(&*world.storage).await.into_iter();
    let packs = objects.filter(|(key, _)| key.as_str().starts_with("pack/"));
    packs.map(|(_, bytes)| bytes.len()).collect()
}

#[tokio::test]
async fn packs_are_as_large_as_each_process_makes_them() {
    let mut world = World::new();
    let opened = async |world: &mut World, pack_bytes| {
        let options = world.options(256).with_pack_bytes(pack_bytes);
        Repo::create(Arc::clone(&world.storage) as _, options)
            .await
            .unwrap()
    };
    // As small as may be.
    let small = opened(&mut world, 0).await;
    let content = Bytes::from(random_bytes(6 * MIB, 1));
    put(&small, "files/a", std::slice::from_ref(&content)).await;
    let before = sizes(&world).await;
    assert!(
        before.len() > 6 && before.iter().all(|size| *size <= MIB),
        "{before:?}"
    );
    let requests = cost(&mut world, &content).await;

    // Another brings together what lies in many packs.
    let large = opened(&mut world, 32 * MIB).await;
    let gather = options().with_defragment_bytes_per_request(u64::MAX);
    settle_with(&large, &world, &gather).await;
    let after = sizes(&world).await;
    assert!(after.iter().any(|size| *size > 4 * MIB), "{after:?}");
    assert!(cost(&mut world, &content).await < requests / 2);
    for repo in [&small, &large] {
        assert_eq!(read(repo, &content).await.as_ref(), Some(&content));
        assert_sound(repo).await;
    }
}

#[test]
fn a_pack_that_gets_another_identity_is_no_larger_than_a_pack_may_be() {
    use crate::blobs::pack::{MAX_PACK, SALT_BYTES};
    let largest = RepoOptions::default().with_pack_bytes(usize::MAX);
    assert_eq!(largest.pack_limit() + SALT_BYTES, MAX_PACK);
}
