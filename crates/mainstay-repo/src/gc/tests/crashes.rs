//! A fault at every operation of a run: not applied, applied and not heard of, refused, or a crash.

use super::*;

/// A repository whose next run deletes, writes again, condemns and waits.
async fn busy() -> World {
    let mut world = World::new();
    let repo = world.open().await;
    put(&repo, "files/kept", &[big(1), "small".into()]).await;
    put(&repo, "files/first", &[big(2)]).await;
    let blobs = store(&repo, &[big(3), big(4), big(5)]).await.unwrap();
    name(&repo, "files/part", vec![blobs[0]]).await.unwrap();
    drop_ref(&repo, "files/first").await;
    name(&repo, "files/rest", blobs[1..].to_vec())
        .await
        .unwrap();
    collect(&repo).await;
    world.clock.advance(GRACE);
    collect(&repo).await;
    drop_ref(&repo, "files/rest").await;
    collect(&repo).await;
    world.clock.advance(GRACE);
    put(&repo, "files/late", &[big(6)]).await;
    drop_ref(&repo, "files/late").await;
    let plan = repo.plan_collection(&options()).await.unwrap();
    let lists = [&plan.wait, &plan.repack, &plan.delete];
    assert!(lists.iter().all(|list| !list.is_empty()), "{plan:?}");
    world
}

#[tokio::test]
async fn a_fault_at_any_operation_of_a_run_loses_nothing_and_the_next_goes_on() {
    let busy = busy().await;
    let kept = [big(1), "small".into(), big(3)];
    let mut operation = 0;
    loop {
        operation += 1;
        let mut reached = false;
        for fault in FAULTS {
            let mut world = busy.copy().await;
            let faulty = Arc::new(FaultStorage::new(Arc::clone(&world.storage)));
            let mut repo = world.open_on(Arc::clone(&faulty) as _).await;
            let plan = repo.plan_collection(&options()).await.unwrap();
            let at = faulty.operations() + operation;
            faulty.fail_at(at, fault);
            let applied = repo.apply_collection(&plan, tester(), "collect").await;
            let struck = faulty.operations() >= at;
            assert!(applied.is_ok() || struck, "{applied:?}");
            reached |= struck;
            faulty.clear();

            // Who lives goes on with what he remembers.
            if faulty.is_crashed() {
                repo = world.open().await;
            }
            for content in &kept {
                assert_eq!(read(&repo, content).await.as_ref(), Some(content));
            }
            assert_sound(&repo).await;
            settle(&repo, &world).await;
            for repo in [&repo, &world.open().await] {
                for content in &kept {
                    assert_eq!(read(repo, content).await.as_ref(), Some(content));
                }
                assert_sound(repo).await;
            }
            let stats = repo.stats().await.unwrap();
            assert_eq!(stats.logical_bytes, 120_005, "{fault:?} at {operation}");
        }
        if !reached {
            assert!(operation > 20, "{operation}");
            return;
        }
    }
}
