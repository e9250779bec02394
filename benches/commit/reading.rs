//! Opening a long log, looking up and scanning.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{Durability, MeterStorage, Storage};

use crate::{directory, fill, local, ratio};

const OPENINGS: usize = 21;
const LOOKS: u32 = 1_000_000;
/// A prime, to walk the refs in no order.
const STRIDE: u64 = 7_919;

pub(crate) async fn measure(entries: u64) {
    let directory = directory();
    let start = Instant::now();
    let storage = local(directory.path(), Durability::None).await;
    let repo = Repo::create(storage, RepoOptions::default()).await.unwrap();
    fill::fill(&repo, entries).await;
    drop(repo);
    println!(
        "\na log of {entries} entries and refs, written in {:.0} s without syncs",
        start.elapsed().as_secs_f64()
    );

    let storage = local(directory.path(), Durability::Strict).await;
    let shards = std::fs::read_dir(directory.path().join("shard")).unwrap();
    println!("shards of all checkpoints: {}", shards.count());
    let metered = Arc::new(MeterStorage::new(storage));
    let storage: Arc<dyn Storage> = Arc::<MeterStorage<_>>::clone(&metered);
    let mut times = Vec::new();
    let before = metered.reading();
    for n in 0..OPENINGS {
        let start = Instant::now();
        let repo = Repo::open(Arc::clone(&storage), RepoOptions::default());
        let repo = repo.await.unwrap();
        let path = fill::path(n as u64 * STRIDE % entries);
        let found = repo.cached_view();
        let found = found.read(|view| Ok(view.get(&path)?.is_some())).await;
        assert!(found.unwrap());
        times.push(start.elapsed());
    }
    let requests = metered.reading().requests() - before.requests();
    print("open and one look-up", &mut times);
    println!("  requests: {:.0}", ratio(requests, OPENINGS as u64));

    let repo = Repo::open(Arc::clone(&storage), RepoOptions::default());
    let view = repo.await.unwrap().cached_view();
    let mut times = Vec::new();
    let before = metered.reading();
    for n in 0..OPENINGS {
        let prefix = fill::prefix(n as u64 * STRIDE % entries);
        let start = Instant::now();
        let below = view.read(|view| Ok(view.below(&prefix)?.count())).await;
        assert_eq!(below.unwrap() as u64, fill::BELOW_ONE);
        times.push(start.elapsed());
    }
    let read = metered.reading().requests() - before.requests();
    print("scan of 1,000 refs", &mut times);
    let all = entries.div_ceil(256);
    println!(
        "  shards read: {:.1} of about {all}, {:.2} %",
        ratio(read, OPENINGS as u64),
        100.0 * ratio(read, OPENINGS as u64) / ratio(all, 1),
    );

    let start = Instant::now();
    view.load("").await.unwrap();
    println!("load everything: {:.3} s", start.elapsed().as_secs_f64());
    let paths: Vec<_> = (0..4_096)
        .map(|n| fill::path(n * STRIDE % entries))
        .collect();
    let start = Instant::now();
    for path in paths.iter().cycle().take(LOOKS as usize) {
        black_box(view.get(black_box(path)).unwrap());
    }
    println!(
        "look-up in process: {:.0} ns",
        start.elapsed().as_secs_f64() * 1e9 / f64::from(LOOKS)
    );
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{what}: {:.2} ms ({:.2} to {:.2})",
        millis(times[times.len() / 2]),
        millis(times[0]),
        millis(times[times.len() - 1]),
    );
}
