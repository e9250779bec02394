//! However much is dropped at once, each run does a part of it.

use mainstay_core::BulkDigest;

use super::*;
use crate::blobs::pack::PackId;
use crate::gc::bounds::Bounds;
use crate::gc::state::{self, FORMAT, RunRecord};
use crate::log::entry::{self, MAX_ENTRY_BYTES};

fn bounded(refs: usize, waiting: usize) -> CollectOptions {
    let mut options = options();
    options.bounds = Bounds { refs, waiting };
    options
}

/// Stores one pack for each content, which nobody needs.
async fn drop_packs(repo: &Repo, contents: impl IntoIterator<Item = Bytes>) {
    for content in contents {
        store(repo, &[content]).await.unwrap();
    }
}

fn small(packs: u64) -> impl Iterator<Item = Bytes> {
    (0..packs).map(|pack| format!("small {pack}").into())
}

/// Collects until there is nothing more to do before time passes.
async fn collect_all(repo: &Repo, options: &CollectOptions) {
    let Bounds { refs, waiting } = options.bounds;
    loop {
        let report = collect_with(repo, options).await;
        if report.seq.is_none() && report.written_bytes == 0 {
            return;
        }
        let packs = report.deleted.iter();
        let packs = packs.filter(|key| key.starts_with("pack/")).count();
        assert!(report.waiting <= waiting as u64, "{report:?}");
        assert!(
            report.condemned <= refs as u64 && packs <= refs,
            "{report:?}"
        );
    }
}

#[tokio::test]
async fn what_is_dropped_at_once_goes_in_as_few_graces_as_may_wait_at_a_time() {
    let mut world = World::new();
    let repo = world.open().await;
    drop_packs(&repo, small(20)).await;
    let mut left = Vec::new();
    for _ in 0..5 {
        collect_all(&repo, &bounded(2, 8)).await;
        left.push(count(&*world.storage, "pack/").await);
        world.clock.advance(GRACE);
    }
    // One grace to wait and one to be condemned in; eight do either at a time.
    assert_eq!(left, [20, 20, 12, 4, 0]);
    assert_sound(&repo).await;
}

#[tokio::test]
async fn with_one_run_a_grace_as_many_go_as_one_entry_takes() {
    let mut world = World::new();
    let repo = world.open().await;
    drop_packs(&repo, small(20)).await;
    for run in 0..12 {
        assert!(count(&*world.storage, "pack/").await > 0, "{run}");
        collect_with(&repo, &bounded(2, 8)).await;
        world.clock.advance(GRACE);
    }
    assert_eq!(count(&*world.storage, "pack/").await, 0);
}

#[tokio::test]
async fn what_waits_loses_its_place_to_nothing_that_is_dropped_later() {
    let mut world = World::new();
    let repo = world.open().await;
    drop_packs(&repo, small(2)).await;
    for round in 0..5 {
        collect_all(&repo, &bounded(2, 2)).await;
        world.clock.advance(GRACE / 2);
        let larger = (0..2).map(|n| random_bytes(400 + 100 * round, 2 * round as u64 + n).into());
        drop_packs(&repo, larger).await;
    }
    let plan = repo.plan_collection(&bounded(2, 100)).await.unwrap();
    let mut packs = plan.wait.iter().chain(&plan.condemn);
    assert!(packs.all(|pack| pack.bytes > 400), "{plan:?}");
}

#[tokio::test]
async fn what_may_not_be_written_again_takes_no_place_from_what_nobody_needs() {
    let mut world = World::new();
    let repo = world.open().await;
    for n in 0..3 {
        let blobs = store(&repo, &[big(2 * n), big(2 * n + 1)]).await.unwrap();
        let path = format!("files/{n}");
        name(&repo, &path, vec![blobs[0]]).await.unwrap();
    }
    let options = bounded(2, 2).with_max_repack_bytes(0);
    collect_all(&repo, &options).await;
    let plan = repo.plan_collection(&options).await.unwrap();
    assert_eq!(plan.wait.len(), 2);
    let before = count(&*world.storage, "pack/").await;
    drop_packs(&repo, small(2)).await;
    for _ in 0..3 {
        collect_all(&repo, &options).await;
        world.clock.advance(GRACE);
    }
    assert_eq!(count(&*world.storage, "pack/").await, before);
}

/// The hash of a pack that is not there.
fn pack(number: usize) -> PackId {
    PackId(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

#[tokio::test]
async fn all_that_a_run_may_say_is_well_below_what_an_entry_takes() {
    let mut world = World::new();
    let repo = world.open().await;
    let Bounds { refs, waiting } = Bounds::default();
    let because = "holds the manifest of a blob of which something is collected";
    let value = |bytes| state::pack_value(bytes, because).unwrap();
    let mut condemning = Transaction::new(tester(), "collect");
    for number in 0..refs {
        let path = state::pack_path(pack(number)).unwrap();
        condemning.set(path, value(16 << 20), Expectation::Any);
    }
    repo.commit(condemning).await.map(drop).unwrap();

    let mut run = Transaction::new(tester(), "collect");
    let (mut record, since) = (RunRecord::default(), "2026-01-01T00:00:01.5Z");
    record.format = FORMAT;
    for number in 0..refs {
        let deleted = pack(number);
        run.delete(state::pack_path(deleted).unwrap(), Expectation::Any);
        // Each was in an index object of its own, and in one that was merged of others.
        let hex = BulkDigest::from_bytes(deleted.0).to_hex();
        let keys = ["pack", "index", "index"].map(|below| format!("{below}/{hex}"));
        record.deleted.extend(keys);
        let path = state::pack_path(pack(refs + number)).unwrap();
        run.set(path, value(16 << 20), Expectation::Any);
    }
    for number in 0..waiting {
        let hex = state::hex(pack(2 * refs + number));
        record.waiting.insert(hex, since.parse().unwrap());
    }
    let value = state::run_value(&record).unwrap();
    run.set(state::run_path().unwrap(), value, Expectation::Any);
    repo.commit(run).await.map(drop).unwrap();
    let key = entry::key(repo.view().await.unwrap().seq());
    let stored = world.storage.get_all(&key).await.unwrap().unwrap();
    let bytes = stored.len() as u64;
    assert!(
        (10 << 20..MAX_ENTRY_BYTES * 4 / 5).contains(&bytes),
        "{bytes}"
    );
}
