//! A process that is stalled for as long as one likes.

use async_trait::async_trait;
use mainstay_store::Timer;
use mainstay_store::fault::{Fault, Trigger, Verb};
use tokio::sync::{Notify, Semaphore};

use super::*;

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
