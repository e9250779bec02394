//! Manifests that a session made known after what they name had been deleted.

use mainstay_store::Timer;
use mainstay_store::fault::{Fault, Trigger, Verb};

use super::stalled::Gate;
use super::*;
use crate::ReplicateOptions;
use crate::{TreeBuilder, TreeEntry};

/// How a blob and the one that it begins with are cut.
#[derive(Debug, Clone, Copy)]
enum Cuts {
    Content,
    /// So many chunks that the manifest names lists.
    Tiny,
}

impl Cuts {
    fn layout(self, len: usize) -> Layout {
        let mut layout = Layout::new();
        match self {
            Self::Content => layout.push(len as u64, Cut::Content),
            Self::Tiny => (0..len / 10).for_each(|_| layout.push(10, Cut::Blocks)),
        }
        layout
    }
}

/// 6,000 sections of ten bytes.
fn old() -> Bytes {
    big(1)
}

fn longer() -> Bytes {
    [old(), big(7)].concat().into()
}

fn smalls() -> Vec<Bytes> {
    (0..40).map(|n| format!("small {n}").into()).collect()
}

async fn store_cut(repo: &Repo, content: Bytes, cuts: Cuts) -> mainstay_core::Result<Digest> {
    let mut ingest = repo.ingest();
    for small in smalls() {
        ingest.bytes(small).await?;
    }
    let layout = cuts.layout(content.len());
    let stored = ingest.bytes_with(content, layout).await?;
    ingest.finish().await?;
    Ok(stored.digest)
}

/// A repository whose largest index object tells of a manifest of [`longer`] that names deleted chunks
/// and lists. It lies in a pack that nothing is against, since blobs in it are needed. Before that
/// object was written, but after the deletion, `meanwhile` happened.
async fn hollow(cuts: Cuts, meanwhile: impl AsyncFnOnce(&mut World)) -> World {
    let mut world = World::new();
    let repo = world.open().await;
    let digest = store_cut(&repo, old(), cuts).await.unwrap();
    name(&repo, "files/old", vec![digest]).await.unwrap();
    drop_ref(&repo, "files/old").await;
    collect(&repo).await;

    let gate = Arc::new(Gate::default());
    let timer = Arc::clone(&gate) as Arc<dyn Timer>;
    let slow = FaultStorage::with_timer(Arc::clone(&world.storage), timer);
    let index = Trigger::any().with_verb(Verb::Put).with_key_start("index/");
    slow.fail_when(index, Fault::Delay(GRACE));
    let slow = world.open_on(Arc::new(slow)).await;
    let storing = slow.clone();
    let session = tokio::spawn(async move {
        // More in it than in any other, so that it is loaded first.
        let mut ingest = storing.ingest();
        for more in 0..300 {
            ingest.bytes(format!("more {more}").into()).await?;
        }
        let layout = cuts.layout(longer().len());
        ingest.bytes_with(longer(), layout).await?;
        ingest.finish().await
    });
    gate.reached().await;
    world.clock.advance(GRACE);
    collect(&repo).await;
    world.clock.advance(GRACE);
    // It deletes what was condemned and dies before it can condemn what the session wrote.
    let dying = Arc::new(FaultStorage::new(Arc::clone(&world.storage)));
    let log = Trigger::any().with_verb(Verb::Put).with_key_start("log/");
    dying.fail_when(log, Fault::Crash(Applied::No));
    let dying = world.open_on(dying).await;
    let plan = dying.plan_collection(&options()).await.unwrap();
    assert!(!plan.delete.is_empty());
    let died = dying.apply_collection(&plan, tester(), "collect").await;
    died.unwrap_err();
    meanwhile(&mut world).await;
    gate.open();
    session.await.unwrap().unwrap();
    let more = (0..300).map(|more| Digest::of(format!("more {more}").as_bytes()));
    name(&slow, "files/more", more.collect()).await.unwrap();
    world
}

async fn assert_holds(world: &mut World, repos: &[Repo]) {
    let fresh = world.open().await;
    for repo in repos.iter().chain([&fresh]) {
        assert_eq!(read(repo, &longer()).await, Some(longer()));
        let blob = repo.blob(&Digest::of(&longer())).await.unwrap().unwrap();
        assert_eq!(
            blob.range(50_000..70_000).await.unwrap(),
            longer().slice(50_000..70_000)
        );
        let chunks: Vec<_> = blob.chunks().try_collect().await.unwrap();
        assert_eq!(chunks.last().unwrap().0.end, longer().len() as u64);
    }
    for level in [VerifyLevel::Quick, VerifyLevel::Full] {
        let report = fresh.verify(level).await.unwrap();
        assert_eq!(report.faults, []);
    }
}

#[tokio::test]
async fn a_manifest_without_its_chunks_hides_no_other_and_is_collected() {
    for cuts in [Cuts::Content, Cuts::Tiny] {
        let mut world = hollow(cuts, async |world| {
            let repo = world.open().await;
            put(&repo, "files/longer", &[longer()]).await;
        })
        .await;
        let repo = world.open().await;
        assert_holds(&mut world, &[]).await;
        let mut elsewhere = World::new();
        elsewhere.opened = 100;
        let target = elsewhere.open().await;
        let all = ReplicateOptions::default();
        let replicated = repo.replicate(&target, &all, tester()).await;
        replicated.map(drop).unwrap();
        assert_eq!(read(&target, &longer()).await, Some(longer()));

        settle(&repo, &world).await;
        assert_holds(&mut world, &[repo]).await;
        // No pack holds the manifest any more that lacked its chunks.
        let fresh = world.open().await;
        let found = fresh.blob(&Digest::of(&longer())).await.unwrap().unwrap();
        assert!(found.another().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_blob_whose_manifest_lacks_its_chunks_can_be_stored_again() {
    for cuts in [Cuts::Content, Cuts::Tiny] {
        let mut world = hollow(cuts, async |_| {}).await;
        let repo = world.open().await;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let blobs = store(&repo, &[longer()]).await.unwrap();
            match name(&repo, "files/longer", blobs).await {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
            }
            assert!(attempts < 2, "refused again and again");
        }
        assert_holds(&mut world, std::slice::from_ref(&repo)).await;
        settle(&repo, &world).await;
        assert_holds(&mut world, &[repo]).await;
    }
}

/// Stores a tree of many entries, and one whose key is told; returns its root.
async fn store_tree(ingest: &mut crate::Ingest, last: &str) -> Digest {
    let mut builder = TreeBuilder::new();
    for number in 0..2_000 {
        let entry = TreeEntry::new(format!("a{number:04}"), number.into(), []);
        builder.add(ingest, &entry).await.unwrap();
    }
    let entry = TreeEntry::new(last.to_owned(), 0.into(), []);
    builder.add(ingest, &entry).await.unwrap();
    builder.finish(ingest).await.unwrap().root
}

#[tokio::test]
async fn a_tree_of_which_pages_were_collected_is_not_stored() {
    let mut world = World::new();
    let repo = world.open().await;
    let mut ingest = repo.ingest();
    store_tree(&mut ingest, "b").await;
    ingest.finish().await.map(drop).unwrap();
    // Its root lies with what is needed, most of its pages with those of the other tree.
    let mut ingest = repo.ingest();
    let needed = Bytes::from(random_bytes(16_000, 1));
    let blob = ingest.bytes(needed.clone()).await.unwrap().digest;
    let root = store_tree(&mut ingest, "c").await;
    ingest.finish().await.map(drop).unwrap();
    name(&repo, "files/needed", vec![blob]).await.unwrap();
    settle(&repo, &world).await;
    for repo in [&repo, &world.open().await] {
        assert!(repo.blob(&root).await.unwrap().is_some());
        let value = Value::new("files", &1).unwrap().with_trees([root]);
        let mut transaction = Transaction::new(tester(), "test");
        transaction.set("files/tree".parse().unwrap(), value, Expectation::Any);
        let refused = repo.commit(transaction).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
        assert!(refused.to_string().contains("files/tree"), "{refused}");
    }
}
