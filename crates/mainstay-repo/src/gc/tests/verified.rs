//! Verification while others collect.

use mainstay_store::Timer;

use super::stalled::Gate;
use super::*;
use crate::{TreeBuilder, TreeEntry};

/// A repository in which some blobs are dropped and the rest is to be written again, and a tree moves on.
async fn changing(world: &mut World) -> Repo {
    let repo = world.open().await;
    for n in 0..4 {
        put(&repo, &format!("files/kept{n}"), &[big(n)]).await;
        let both = store(&repo, &[big(10 + n), big(20 + n)]).await.unwrap();
        name(&repo, &format!("files/part{n}"), vec![both[0]])
            .await
            .unwrap();
    }
    grow(&repo, 0..40).await;
    grow(&repo, 20..60).await;
    drop_ref(&repo, "files/kept3").await;
    repo
}

/// Sets a tree that names so many blobs.
async fn grow(repo: &Repo, contents: std::ops::Range<u64>) {
    let mut ingest = repo.ingest();
    let mut tree = TreeBuilder::new();
    for n in contents {
        let content = random_bytes(600, 1000 + n).into();
        let digest = ingest.bytes(content).await.unwrap().digest;
        let entry = TreeEntry::new(format!("{n:04}"), 1.into(), [digest]);
        tree.add(&mut ingest, &entry).await.unwrap();
    }
    let root = tree.finish(&mut ingest).await.unwrap().root;
    ingest.finish().await.map(drop).unwrap();
    let value = Value::new("files", &"tree").unwrap().with_trees([root]);
    let mut transaction = Transaction::new(tester(), "test");
    transaction.set("files/tree".parse().unwrap(), value, Expectation::Any);
    let outcome = repo.commit(transaction).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed(_)));
}

#[tokio::test]
async fn what_is_collected_while_it_is_verified_is_no_fault() {
    for level in [VerifyLevel::Quick, VerifyLevel::Full] {
        let mut origin = World::new();
        drop(changing(&mut origin).await);
        let mut stalls = 0;
        for operation in 1.. {
            let mut world = origin.copy().await;
            let gate = Arc::new(Gate::default());
            let timer = Arc::clone(&gate) as Arc<dyn Timer>;
            let slow = FaultStorage::with_timer(Arc::clone(&world.storage), timer);
            slow.fail_at(operation, Fault::Delay(GRACE));
            let slow: Arc<dyn Storage> = Arc::new(slow);
            let verified = tokio::spawn(async move { crate::verify(slow, level).await });
            tokio::select! {
                biased;
                () = gate.reached() => {}
                () = async { while !verified.is_finished() { tokio::task::yield_now().await } } => break,
            }
            stalls += 1;
            let repo = world.open().await;
            drop_ref(&repo, "files/kept2").await;
            grow(&repo, 50..70).await;
            settle(&repo, &world).await;
            gate.open();
            let report = verified.await.unwrap().unwrap();
            assert_eq!(report.faults, [], "{level:?}, stalled at {operation}");
        }
        assert!(stalls > 40, "{stalls}");
    }
}
