//! How large packs become.

use async_trait::async_trait;
use futures::stream::BoxStream;
use mainstay_core::{Error, Result};
use mainstay_store::{ByteRange, Capabilities, Key, Object, ObjectMeta, PutMode, PutOutcome};

use super::order::{MIB, cost};
use super::*;
use crate::blobs::pack::{FOOTER_LEN, HEADER_LEN};
use crate::blobs::record::{Entry, Header};
use crate::{RepairOptions, repair};

/// A storage that takes no larger objects.
#[derive(Debug)]
struct Narrow {
    inner: Arc<MemoryStorage>,
    max_object_bytes: u64,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Narrow {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.inner.get(key, range).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        if bytes.len() as u64 > self.max_object_bytes {
            return Err(Error::invalid("too large").context("key", key));
        }
        self.inner.put(key, bytes, mode).await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        self.inner.list(prefix, after)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.inner.delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_object_bytes: self.max_object_bytes,
            ..self.inner.capabilities()
        }
    }
}

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

/// Stores a blob in pieces, each of them in a session before.
async fn store_in_pieces(repo: &Repo, content: &Bytes, pieces: usize) {
    let piece = content.len() / pieces;
    let parts = (0..pieces).map(|part| content.slice(part * piece..(part + 1) * piece));
    for part in parts.chain([content.clone()]) {
        let (mut ingest, mut layout) = (repo.ingest(), Layout::new());
        for _ in 0..part.len() / piece {
            layout.push(piece as u64, Cut::Blocks);
        }
        ingest.bytes_with(part, layout).await.map(drop).unwrap();
        ingest.finish().await.map(drop).unwrap();
    }
    let blobs = vec![Digest::of(content)];
    name(repo, "files/a", blobs).await.unwrap();
}

#[tokio::test]
async fn what_is_written_again_under_another_identity_is_no_larger_than_the_storage_takes() {
    const PIECE: usize = 20_000;
    // Three fill an object but for less than another identity takes.
    let three = 3 * (PIECE + Header::LEN + Entry::LEN) + HEADER_LEN + FOOTER_LEN;
    let mut world = World::new();
    let narrow = Narrow {
        inner: Arc::clone(&world.storage),
        max_object_bytes: three as u64 + 50,
    };
    let repo = world.open_on(Arc::new(narrow)).await;
    let gather = options().with_defragment_bytes_per_request(u64::MAX);
    let content = Bytes::from(random_bytes(6 * PIECE, 1));
    // The second time all identities are taken.
    for _ in 0..2 {
        store_in_pieces(&repo, &content, 6).await;
        let before = cost(&mut world, &content).await;
        settle_with(&repo, &world, &gather).await;
        assert_eq!(read(&repo, &content).await.as_ref(), Some(&content));
        let after = cost(&mut world, &content).await;
        assert!(after <= before / 2, "{before} requests, then {after}");
        drop_ref(&repo, "files/a").await;
        settle_with(&repo, &world, &gather).await;
        assert_eq!(count(&*world.storage, "pack/").await, 0);
    }
}

#[tokio::test]
async fn repair_makes_packs_as_large_as_it_is_told() {
    let mut world = World::new();
    let repo = world.open().await;
    let content = Bytes::from(random_bytes(6 * MIB, 1));
    put(&repo, "files/a", std::slice::from_ref(&content)).await;
    assert!(sizes(&world).await.iter().any(|size| *size > 6 * MIB));
    // A bit that no record needs.
    let largest = objects(&*world.storage).await.into_iter();
    let (key, bytes) = largest.max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[0] ^= 1;
    let put = world.storage.put(&key, bytes.into(), PutMode::Overwrite);
    put.await.map(drop).unwrap();
    let options = RepairOptions::default().with_apply(true);
    let options = options.with_pack_bytes(MIB);
    let report = repair(Arc::clone(&world.storage) as _, &options).await;
    assert_eq!(report.unwrap().lost, []);
    let sizes = sizes(&world).await.into_iter();
    let written: Vec<usize> = sizes.filter(|size| *size < 6 * MIB).collect();
    assert!(
        written.len() > 6 && written.iter().all(|size| *size <= MIB),
        "{written:?}"
    );
    let read = read(&world.open().await, &content).await;
    assert_eq!(read, Some(content));
}
