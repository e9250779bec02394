//! What is read together is brought together, where that is asked for and worth it.

use super::order::{MIB, cost, edited};
use super::*;

const KIB: u64 = 1024;
/// What a request is worth.
const WORTH: u64 = 1024 * KIB;

fn gathering(bytes_per_request: u64) -> CollectOptions {
    options().with_defragment_bytes_per_request(bytes_per_request)
}

/// Versions of a model, all of them named: nothing is of no use.
async fn versions(repo: &Repo, count: u64, blocks: usize) -> Vec<Bytes> {
    let mut content = random_bytes(4 * MIB, 0);
    let mut versions = Vec::new();
    for version in 0..count {
        let stored = Bytes::from(content.clone());
        let path = format!("model/m/version/{version}");
        put(repo, &path, std::slice::from_ref(&stored)).await;
        versions.push(stored);
        content = edited(content, blocks, version + 1);
    }
    versions
}

async fn written(repo: &Repo, world: &World, options: &CollectOptions) -> u64 {
    let mut written = 0;
    for _ in 0..40 {
        world.clock.advance(GRACE);
        let report = collect_with(repo, options).await;
        written += report.written_bytes;
        if report == CollectionReport::default() {
            return written;
        }
    }
    panic!("collection does not come to an end");
}

async fn assert_all(repo: &Repo, contents: &[Bytes]) {
    for content in contents {
        assert_eq!(read(repo, content).await.as_ref(), Some(content));
    }
    assert_sound(repo).await;
}

#[tokio::test]
async fn the_newest_version_is_brought_together_as_planned_and_once() {
    let mut world = World::new();
    let repo = world.open().await;
    let contents = versions(&repo, 16, 8).await;
    let newest = contents.last().unwrap();
    let before = cost(&mut world, newest).await;
    assert!(before > 20, "{before}");

    // Nothing is of no use, so unless it is asked for nothing happens.
    let plan = repo.plan_collection(&options()).await.unwrap();
    assert_eq!((plan.wait.len(), plan.repack.len()), (0, 0));
    assert_eq!(plan.defragment, crate::PlannedDefragmentation::default());

    let first = repo.plan_collection(&gathering(WORTH)).await.unwrap();
    assert_eq!(first.repack, []);
    assert!(
        first
            .wait
            .iter()
            .all(|pack| pack.because.contains("in too many pieces"))
    );
    let promised = first.defragment.clone();
    assert_eq!(promised.packs, first.wait.len() as u64);
    assert!(promised.requests >= before && promised.requests_after < promised.requests / 2);
    collect_with(&repo, &gathering(WORTH)).await;
    world.clock.advance(GRACE);
    let second = repo.plan_collection(&gathering(WORTH)).await.unwrap();
    assert_eq!(
        (second.repack.len(), second.wait.len()),
        (first.wait.len(), 0)
    );
    assert_eq!(second.defragment, promised);

    written(&repo, &world, &gathering(WORTH)).await;
    let after = cost(&mut world, newest).await;
    let saved = promised.requests - promised.requests_after;
    assert!(after * 4 <= before, "{after}, and {before} before");
    assert!(saved >= before - after && promised.bytes <= saved * WORTH);
    assert_all(&repo, &contents).await;
    // Whoever comes again finds it done.
    world.clock.advance(GRACE);
    let again = repo.plan_collection(&gathering(WORTH)).await.unwrap();
    assert_eq!((again.wait.len(), again.defragment.packs), (0, 0));
    assert_eq!(again.defragment.requests, promised.requests_after);
}

#[tokio::test]
async fn what_is_not_worth_it_or_is_in_one_piece_stays() {
    let mut world = World::new();
    let repo = world.open().await;
    let contents = versions(&repo, 16, 8).await;
    let packs = objects(&*world.storage).await;
    // A chunk costs more than its request may.
    assert_eq!(written(&repo, &world, &gathering(1)).await, 0);
    let same = objects(&*world.storage).await;
    assert!(
        packs
            .iter()
            .all(|(key, bytes)| same.get(key) == Some(bytes))
    );
    assert_all(&repo, &contents).await;

    let mut world = World::new();
    let repo = world.open().await;
    put(&repo, "files/a", &[random_bytes(9 * MIB, 1).into(), big(2)]).await;
    let plan = repo.plan_collection(&gathering(u64::MAX)).await.unwrap();
    assert_eq!((plan.wait.len(), plan.defragment.packs), (0, 0));
}

#[tokio::test]
async fn no_run_writes_more_than_it_may() {
    let mut world = World::new();
    let repo = world.open().await;
    let contents = versions(&repo, 12, 4).await;
    let most = 600 * KIB;
    let bounded = gathering(u64::MAX).with_max_repack_bytes(most);
    let before = cost(&mut world, contents.last().unwrap()).await;
    for _ in 0..20 {
        world.clock.advance(GRACE);
        let plan = repo.plan_collection(&bounded).await.unwrap();
        let again: u64 = plan.repack.iter().map(|pack| pack.used_bytes).sum();
        assert!(again <= most, "{again}");
        let applied = repo.apply_collection(&plan, tester(), "collect").await;
        applied.map(drop).unwrap();
    }
    assert!(cost(&mut world, contents.last().unwrap()).await < before);
    assert_all(&repo, &contents).await;
}

/// Files that change now and then, of which some are dropped and some are stored by several sessions: once
/// it has settled, the newest of a kind lies in few pieces, whatever went before.
#[tokio::test]
async fn whatever_was_stored_the_newest_ends_up_in_few_pieces() {
    let seeds = if std::env::var_os("MAINSTAY_LONG").is_some() {
        200
    } else {
        4
    };
    for seed in 0..seeds {
        let mut world = World::new();
        let repo = world.open().await;
        let draws: Vec<usize> = random_bytes(200, seed)
            .into_iter()
            .map(usize::from)
            .collect();
        let mut draws = draws.into_iter();
        let mut draw = |below: usize| draws.next().unwrap() % below;
        let mut heads: Vec<Vec<u8>> = (0..2)
            .map(|file| random_bytes(MIB + draw(3) * MIB, seed * 10 + file))
            .collect();
        let mut live: BTreeMap<String, Bytes> = BTreeMap::new();
        for step in 0..16_u64 {
            let file = draw(heads.len());
            heads[file] = edited(std::mem::take(&mut heads[file]), 1 + draw(6), seed + step);
            let stored = Bytes::from(heads[file].clone());
            let path = format!("model/m{file}/version/{step:02}");
            put(&repo, &path, std::slice::from_ref(&stored)).await;
            live.insert(path, stored);
            if draw(4) == 0 && live.len() > 4 {
                let (path, _) = live.pop_first().unwrap();
                drop_ref(&repo, &path).await;
            }
            if draw(5) == 0 {
                world.clock.advance(GRACE);
                collect_with(&repo, &gathering(KIB << (6 + draw(8)))).await;
            }
        }
        written(&repo, &world, &gathering(u64::MAX)).await;
        let (path, newest) = live
            .iter()
            .max_by_key(|(path, _)| path[path.len() - 2..].to_owned())
            .unwrap();
        let taken = cost(&mut world, newest).await;
        // A batch may end in the middle of what another pack brings.
        let batches = newest.len().div_ceil(4 * MIB) as u64 + 1;
        assert!(taken <= 2 * batches, "{seed}: {path} takes {taken}");
        let contents: Vec<Bytes> = live.into_values().collect();
        assert_all(&world.open().await, &contents).await;
        assert_eq!(
            collect_with(&repo, &gathering(u64::MAX)).await,
            CollectionReport::default()
        );
    }
}
