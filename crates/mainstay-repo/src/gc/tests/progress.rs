//! What is told of long work.

use std::sync::Mutex;

use mainstay_core::Progress;

use super::*;
use crate::{RepairOptions, VerifyOptions, repair, verify};

/// The last that was told of each unit.
#[derive(Debug, Default)]
struct Last(Mutex<BTreeMap<&'static str, (u64, Option<u64>)>>);

impl Progress for Last {
    fn advance(&self, unit: &'static str, done: u64, total: Option<u64>) {
        let before = self.0.lock().unwrap().insert(unit, (done, total));
        assert!(before.is_none_or(|(before, _)| before <= done));
    }
}

impl Last {
    fn take(&self) -> BTreeMap<&'static str, (u64, Option<u64>)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A number of things, all of them done.
fn all(count: usize) -> (u64, Option<u64>) {
    (count as u64, Some(count as u64))
}

#[tokio::test]
async fn verification_repair_and_statistics_tell_how_much_of_it_is_done() {
    let mut world = World::new();
    let repo = world.open().await;
    put(&repo, "files/a", &[big(1), "small".into()]).await;
    put(&repo, "files/b", &[big(2), big(1)]).await;
    let packs = objects(&*world.storage).await;
    let packs = packs
        .iter()
        .filter(|(key, _)| key.as_str().starts_with("pack/"));
    let packs: Vec<usize> = packs.map(|(_, bytes)| bytes.len()).collect();
    let (bytes, blobs) = (packs.iter().sum::<usize>(), 120_005);
    let last = Arc::new(Last::default());
    let watched = repo.clone().with_progress(Arc::clone(&last) as _);
    let storage = Arc::clone(&world.storage) as Arc<dyn Storage>;

    watched.verify(VerifyLevel::Full).await.map(drop).unwrap();
    let told = last.take();
    assert_eq!(told["entries"], all(2));
    assert_eq!((told["packs"], told["blobs"]), (all(packs.len()), all(3)));
    assert_eq!(told["bytes"].0, (bytes + blobs) as u64);
    let options = VerifyOptions::from(VerifyLevel::Full).with_progress(Arc::clone(&last) as _);
    verify(Arc::clone(&storage), options)
        .await
        .map(drop)
        .unwrap();
    assert_eq!(last.take(), told);
    watched.verify(VerifyLevel::Quick).await.map(drop).unwrap();
    assert!(!last.take().contains_key("bytes"));

    let options = RepairOptions::default().with_progress(Arc::clone(&last) as _);
    repair(storage, &options).await.map(drop).unwrap();
    let told = last.take();
    // One blob is named twice, and read once.
    assert_eq!((told["packs"], told["blobs"]), (all(packs.len()), all(4)));
    assert_eq!(told["bytes"].0, (bytes + blobs) as u64);

    let stats = watched.stats().await.unwrap();
    assert_eq!(last.take()["objects"], (stats.objects, None));
    // Who has not asked is told nothing.
    repo.stats().await.map(drop).unwrap();
    assert_eq!(last.take(), BTreeMap::new());
}

#[tokio::test]
async fn collection_tells_what_it_went_through_and_deleted() {
    let mut world = World::new();
    let repo = world.open().await;
    let blobs = store(&repo, &[big(1), big(2), big(3)]).await.unwrap();
    name(&repo, "files/a", vec![blobs[0]]).await.unwrap();
    put(&repo, "files/b", &[big(4)]).await;
    drop_ref(&repo, "files/b").await;
    let last = Arc::new(Last::default());
    let watched = repo.clone().with_progress(Arc::clone(&last) as _);
    let options = options().with_keep_entries(2);
    watched.plan_collection(&options).await.map(drop).unwrap();
    let told = last.take();
    assert_eq!(told["entries"], all(2));
    let (done, total) = told["packs"];
    assert!(
        done > 0 && total == Some(done) && told["bytes"].0 > 0,
        "{told:?}"
    );
    let mut deleted = 0;
    for _ in 0..6 {
        world.clock.advance(GRACE);
        let plan = repo.plan_collection(&self::options()).await.unwrap();
        let applied = watched.apply_collection(&plan, tester(), "collect").await;
        let report = applied.unwrap();
        let told = last.take();
        let objects = told.get("objects").map_or(0, |(done, _)| *done);
        assert_eq!(objects, report.deleted.len() as u64, "{told:?}");
        deleted += objects;
    }
    assert!(deleted > 3, "{deleted}");
}
