//! How many bytes and requests it takes.

use mainstay_store::MeterStorage;
use mainstay_store::fault::{Applied, FaultStorage, Trigger, Verb};

use super::*;

#[tokio::test]
async fn only_chunks_that_the_target_lacks_are_read() {
    let mut pair = Pair::new();
    let source = pair.source().await;
    let first = random_bytes(2_000_000, 1);
    put(&source, "files/a", &[first.clone().into()]).await;
    let mut second = first;
    second.splice(1_000_000..1_000_000, random_bytes(1_000, 2));
    let target = pair.target().await;
    replicated(&source, &target).await;

    put(&source, "files/a", &[second.into()]).await;
    let meter = Arc::new(MeterStorage::new(Arc::clone(&pair.from)));
    let metered = open(Arc::clone(&meter) as _, &pair.clock, 60).await;
    let before = meter.reading();
    let report = replicated(&metered, &target).await;
    let cost = meter.reading() - before;
    assert!(
        report.chunks <= 3 && report.chunks_already_there > 20,
        "{report:?}"
    );
    assert!(report.read_bytes < 400_000, "{report:?}");
    assert!(cost.bytes_read < 450_000, "{cost:?}");
    assert!(cost.requests() < 25, "{cost:?}");
    assert_eq!((cost.puts, cost.deletes), (0, 0));
    assert_sound(&target).await;
}

#[tokio::test]
async fn what_was_copied_before_a_crash_is_not_read_again() {
    const SIZE: usize = 20_000_000;
    // Chunks are fetched by 4 MiB, less what the last of them is too long.
    const SESSION: usize = (4 << 20) - (128 << 10);
    let mut pair = Pair::new();
    let source = pair.source().await;
    put(&source, "files/a", &[random_bytes(SIZE, 1).into()]).await;
    let options = all().with_session_bytes(SESSION as u64);

    let faulty = Arc::new(FaultStorage::new(Arc::clone(&pair.into)));
    let target = open(Arc::clone(&faulty) as _, &pair.clock, 61).await;
    // Three sessions are stored when the process dies.
    let indexes = Trigger::any().with_verb(Verb::Put).with_key_start("index/");
    let death = mainstay_store::fault::Fault::Crash(Applied::No);
    faulty.fail_when(indexes.with_skip(3), death);
    run(&source, &target, &options).await.unwrap_err();
    let target = pair.target().await;
    assert_eq!(target.view().await.unwrap().seq(), 0);

    let meter = Arc::new(MeterStorage::new(Arc::clone(&pair.from)));
    let metered = open(Arc::clone(&meter) as _, &pair.clock, 62).await;
    let before = meter.reading();
    let report = run(&metered, &target, &options).await.unwrap();
    let cost = meter.reading() - before;
    let left = SIZE - 3 * SESSION;
    assert!(report.read_bytes <= left as u64, "{report:?}");
    assert!(cost.bytes_read < left as u64 + 50_000, "{cost:?}");
    assert_same(&source, &target).await;
    assert_sound(&target).await;
}

#[tokio::test]
async fn many_small_files_take_few_requests() {
    let mut pair = Pair::new();
    let source = pair.source().await;
    let files: Vec<Bytes> = (0..500).map(|n: u32| n.to_string().into()).collect();
    put(&source, "files/a", &files).await;
    let (from, into) = (
        Arc::new(MeterStorage::new(Arc::clone(&pair.from))),
        Arc::new(MeterStorage::new(Arc::clone(&pair.into))),
    );
    let source = open(Arc::clone(&from) as _, &pair.clock, 70).await;
    let target = open(Arc::clone(&into) as _, &pair.clock, 71).await;
    let before = (from.reading(), into.reading());
    let report = replicated(&source, &target).await;
    // A pack of manifests and an index.
    assert_eq!((report.blobs, report.write_requests), (500, 2));
    let (read, written) = (from.reading() - before.0, into.reading() - before.1);
    assert!(read.requests() < 25, "{read:?}");
    assert!(written.requests() < 25, "{written:?}");
    // All of them but one are there the next time.
    let more: Vec<Bytes> = (1..501).map(|n: u32| n.to_string().into()).collect();
    put(&source, "files/b", &more).await;
    let before = (from.reading(), into.reading());
    let report = replicated(&source, &target).await;
    assert_eq!((report.blobs, report.blobs_already_there), (1, 499));
    let (read, written) = (from.reading() - before.0, into.reading() - before.1);
    assert!(read.requests() < 25, "{read:?}");
    assert!(written.requests() < 25, "{written:?}");
}
