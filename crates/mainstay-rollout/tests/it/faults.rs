use std::sync::Arc;

use mainstay_rollout::{Phase, Rollouts};
use mainstay_store::MemoryStorage;
use mainstay_store::fault::{Applied, Fault, FaultStorage};

use crate::workshop::{Workshop, actor, broken, node, pointers, prod};

/// A channel on a storage that can fail, serving unit 2 after unit 1.
async fn promoted() -> (Arc<FaultStorage<MemoryStorage>>, Workshop) {
    let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let workshop = Workshop::on(Arc::clone(&storage) as _).await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.follow().await;
    workshop.put(&one).await;
    workshop.start(&two).await;
    workshop
        .rollouts
        .promote(&prod(), actor(), "go")
        .await
        .unwrap();
    (storage, workshop)
}

/// Counts the storage operations of a rollback.
async fn operations() -> u64 {
    let (storage, workshop) = promoted().await;
    let before = storage.operations();
    workshop
        .rollouts
        .rollback(&prod(), actor(), "bad")
        .await
        .unwrap();
    storage.operations() - before
}

#[tokio::test]
async fn a_rollback_interrupted_anywhere_moved_everything_or_nothing() {
    for k in 1..=operations().await {
        for applied in [Applied::Yes, Applied::No] {
            let (storage, workshop) = promoted().await;
            let before = workshop.view().await;
            storage.crash_at(storage.operations() + k, applied);
            let result = workshop.rollouts.rollback(&prod(), actor(), "bad").await;
            storage.revive();

            let reopened = Workshop::opened(Arc::clone(&storage) as _, 9).await;
            let view = reopened.view().await;
            let status = Rollouts::status(&view, &prod()).unwrap();
            if view.seq() == before.seq() {
                assert!(result.is_err());
                assert_eq!(pointers(&view), pointers(&before));
                assert_eq!(status.state, Phase::Completed);
            } else {
                assert_eq!(view.seq(), before.seq() + 1);
                assert_eq!(status.state, Phase::RolledBack);
                let one = pointers(&view)
                    .into_values()
                    .filter(|to| to.version().as_str() == "1");
                assert_eq!(one.count(), 7);
            }
        }
    }
}

#[tokio::test]
async fn a_lost_response_does_not_roll_back_twice() {
    for k in 1..=operations().await {
        let (storage, workshop) = promoted().await;
        let before = workshop.view().await.seq();
        storage.fail_at(storage.operations() + k, Fault::LoseResponse);
        let result = workshop.rollouts.rollback(&prod(), actor(), "bad").await;
        let view = workshop.view().await;
        if result.is_ok() {
            assert_eq!(view.seq(), before + 1);
            let status = Rollouts::status(&view, &prod()).unwrap();
            assert_eq!(status.unit, node("unit:support@1"));
        } else {
            assert!(view.seq() <= before + 1);
        }
    }
}

#[tokio::test]
async fn a_full_disk_leaves_a_failing_candidate_to_the_next_observation() {
    let (storage, workshop) = promoted().await;
    let three = workshop.unit(3).await;
    workshop.start(&three).await;
    let before = workshop.view().await.seq();
    storage.fail_when(mainstay_store::fault::Trigger::any(), Fault::NoSpace);
    let result = workshop.rollouts.observe(&prod(), &broken(), actor()).await;
    assert!(result.unwrap_err().is_retryable());
    storage.clear();
    assert_eq!(workshop.view().await.seq(), before);
    assert_eq!(
        workshop.observe(&broken()).await.status.state,
        Phase::RolledBack
    );
}
