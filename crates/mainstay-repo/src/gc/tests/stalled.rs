//! A process that is stalled for as long as one likes.

use async_trait::async_trait;
use mainstay_store::Timer;
use mainstay_store::fault::{Fault, Trigger, Verb};
use tokio::sync::{Notify, Semaphore};

use super::*;
use crate::gc::catalog::Catalog;

/// A timer that stops who sleeps until the gate is opened.
#[derive(Debug)]
pub(super) struct Gate {
    reached: Notify,
    open: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            reached: Notify::new(),
            open: Semaphore::new(0),
        }
    }
}

impl Gate {
    /// Returns when somebody stands before it.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(super) fn open(&self) {
        self.open.add_permits(1000);
    }
}

#[async_trait]
impl Timer for Gate {
    async fn sleep(&self, _: Duration) {
        self.reached.notify_one();
        let _permit = self.open.acquire().await;
    }
}

#[tokio::test]
async fn an_index_that_names_a_pack_long_after_it_was_deleted_hides_nothing() {
    let mut world = World::new();
    let repo = world.open().await;
    let gate = Arc::new(Gate::default());
    let timer = Arc::clone(&gate) as Arc<dyn Timer>;
    let slow = FaultStorage::with_timer(Arc::clone(&world.storage), timer);
    let index = Trigger::any().with_verb(Verb::Put).with_key_start("index/");
    slow.fail_when(index, Fault::Delay(GRACE));
    let slow = world.open_on(Arc::new(slow)).await;

    // More in it than in any other, so that it is loaded first.
    let contents: Vec<Bytes> = (1..9).map(big).collect();
    let session = tokio::spawn(async move { store(&slow, &contents).await });
    gate.reached().await;
    settle(&repo, &world).await;
    assert_eq!(count(&*world.storage, "pack/").await, 0);
    put(&repo, "files/kept", &[big(1)]).await;
    gate.open();
    session.await.unwrap().unwrap();

    for reader in [&world.open().await, &repo] {
        assert_eq!(read(reader, &big(1)).await, Some(big(1)));
        assert_sound(reader).await;
    }
    settle(&repo, &world).await;
    assert_eq!(read(&world.open().await, &big(1)).await, Some(big(1)));
}

#[tokio::test]
async fn a_look_at_everything_misses_nothing_that_is_written_anew_meanwhile() {
    let mut origin = World::new();
    let repo = origin.open().await;
    for n in 0..3 {
        // One pack each, most of which is of no use.
        let used: Bytes = format!("used {n}").repeat(1_000).into();
        let contents = [used.clone(), big(n)];
        store(&repo, &contents).await.unwrap();
        let path = format!("files/{n}");
        name(&repo, &path, vec![Digest::of(&used)]).await.unwrap();
    }
    let mut stalls = 0;
    for operation in 1.. {
        let mut world = origin.copy().await;
        let gate = Arc::new(Gate::default());
        let timer = Arc::clone(&gate) as Arc<dyn Timer>;
        let slow = FaultStorage::with_timer(Arc::clone(&world.storage), timer);
        slow.fail_at(operation, Fault::Delay(GRACE));
        let slow: Arc<dyn Storage> = Arc::new(slow);
        let look = tokio::spawn(async move { Catalog::load(&slow).await.unwrap() });
        tokio::select! {
            biased;
            () = gate.reached() => {}
            () = async { while !look.is_finished() { tokio::task::yield_now().await } } => break,
        }
        stalls += 1;
        settle(&world.open().await, &world).await;
        gate.open();
        let seen = look.await.unwrap();
        let storage = Arc::clone(&world.storage) as Arc<dyn Storage>;
        let now = Catalog::load(&storage).await.unwrap();
        let records = now.packs.values().flat_map(|pack| &pack.entries);
        for id in records.map(|entry| entry.header.id) {
            assert!(seen.holders(&id).next().is_some(), "{operation}: {id:?}");
        }
    }
    assert!(stalls > 5, "{stalls}");
}
