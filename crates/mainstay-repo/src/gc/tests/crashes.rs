//! A fault at every operation of a run: not applied, applied and not heard of, refused, or a crash.

use super::order::edited;
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

/// Versions that lie in many pieces; the next run brings them together.
async fn scattered(options: &CollectOptions) -> (World, Vec<Bytes>) {
    let mut world = World::new();
    let repo = world.open().await;
    let mut content = random_bytes(400_000, 1);
    let mut kept = Vec::new();
    for version in 0..4 {
        let stored = Bytes::from(content.clone());
        let path = format!("files/v{version}");
        put(&repo, &path, std::slice::from_ref(&stored)).await;
        kept.push(stored);
        content = edited(content, 1, version);
    }
    let plan = repo.plan_collection(options).await.unwrap();
    let applied = repo.apply_collection(&plan, tester(), "collect").await;
    assert!(applied.unwrap().waiting > 2);
    world.clock.advance(GRACE);
    let plan = repo.plan_collection(options).await.unwrap();
    assert!(plan.repack.len() > 2, "{plan:?}");
    (world, kept)
}

#[tokio::test]
async fn a_fault_at_any_operation_of_a_run_loses_nothing_and_the_next_goes_on() {
    let kept = [big(1), "small".into(), big(3)];
    let operations = fails_anywhere(&busy().await, &options(), &kept).await;
    assert!(operations > 20, "{operations}");
}

#[tokio::test]
async fn a_fault_while_pieces_are_brought_together_loses_nothing_and_the_next_goes_on() {
    let options = options().with_defragment_bytes_per_request(u64::MAX);
    let (scattered, kept) = scattered(&options).await;
    let operations = fails_anywhere(&scattered, &options, &kept).await;
    assert!(operations > 12, "{operations}");
}

/// Returns the number of the first operation that a run does not reach.
async fn fails_anywhere(busy: &World, options: &CollectOptions, kept: &[Bytes]) -> u64 {
    let bytes: usize = kept.iter().map(Bytes::len).sum();
    let mut operation = 0;
    loop {
        operation += 1;
        let mut reached = false;
        for fault in FAULTS {
            let mut world = busy.copy().await;
            let mut before = stored(&*world.storage).await;
            let faulty = Arc::new(FaultStorage::new(Arc::clone(&world.storage)));
            let mut repo = world.open_on(Arc::clone(&faulty) as _).await;
            let plan = repo.plan_collection(options).await.unwrap();
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
            for content in kept {
                assert_eq!(read(&repo, content).await.as_ref(), Some(content));
            }
            assert_sound(&repo).await;
            before.extend(stored(&*world.storage).await);
            settle_with(&repo, &world, options).await;
            assert_receipts(&repo, &world, &before).await;
            let told = told(&repo).await;
            let once: BTreeSet<_> = told.iter().collect();
            assert_eq!(told.len(), once.len(), "{told:?}");
            for repo in [&repo, &world.open().await] {
                for content in kept {
                    assert_eq!(read(repo, content).await.as_ref(), Some(content));
                }
                assert_sound(repo).await;
            }
            let stats = repo.stats().await.unwrap();
            assert_eq!(
                stats.logical_bytes, bytes as u64,
                "{fault:?} at {operation}"
            );
        }
        if !reached {
            return operation;
        }
    }
}
