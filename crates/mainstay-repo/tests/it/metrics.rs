//! What whoever watches is told of a repository.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mainstay_core::{Actor, Attribute, ErrorKind, Instrument, Metrics};
use mainstay_repo::{CollectOptions, Expectation, ReplicateOptions, Repo, Step};
use mainstay_store::MemoryStorage;

use crate::support::{committed, conflict, options, path, set, transaction};

/// Sums, by instrument and the values of attributes.
#[derive(Debug, Default)]
struct Sums(Mutex<BTreeMap<String, f64>>);

impl Sums {
    fn note(&self, instrument: &Instrument, attributes: &[Attribute], value: f64) {
        let mut line = instrument.name.to_owned();
        for (_, value) in attributes {
            line.push(' ');
            line.push_str(value);
        }
        *self.0.lock().unwrap().entry(line).or_default() += value;
    }

    #[track_caller]
    fn expect(&self, line: &str, expected: f64) {
        let sums = self.0.lock().unwrap();
        let found = sums.get(line).copied().unwrap_or_default();
        assert!((found - expected).abs() < 1e-9, "{line}: {found}, {sums:?}");
    }
}

impl Metrics for Sums {
    fn add(&self, counter: &'static Instrument, amount: u64, attributes: &[Attribute]) {
        self.note(
            counter,
            attributes,
            f64::from(u32::try_from(amount).unwrap()),
        );
    }

    fn record(&self, histogram: &'static Instrument, value: f64, attributes: &[Attribute]) {
        // How often, where how long is a matter of luck.
        let value = if histogram.unit == "s" { 1.0 } else { value };
        self.note(histogram, attributes, value);
    }
}

async fn watched(sums: &Arc<Sums>, seed: u64) -> Repo {
    let options = options(seed).with_metrics(Arc::clone(sums) as _);
    Repo::create(Arc::new(MemoryStorage::new()), options)
        .await
        .unwrap()
}

#[tokio::test]
async fn commits_are_told_by_how_they_ended() {
    let sums = Arc::new(Sums::default());
    let repo = watched(&sums, 1).await;
    for _ in 0..2 {
        let mut once = set("note/a", 1, Expectation::Absent);
        once.idempotency_key("once");
        committed(repo.commit(once).await.unwrap());
    }
    let refused = repo.commit(set("note/a", 2, Expectation::Absent)).await;
    conflict(refused.unwrap());
    let nothing = repo.commit(transaction()).await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Invalid);
    let any = set("note/b", 1, Expectation::Any);
    repo.transact(|_| Ok(Step::Commit(any.clone(), ())))
        .await
        .unwrap();
    repo.transact(|_| Ok(Step::Done(()))).await.unwrap();
    for (outcome, times) in [
        ("committed", 2.0),
        ("replayed", 1.0),
        ("conflict", 1.0),
        ("invalid", 1.0),
    ] {
        sums.expect(&format!("mainstay.repo.commits {outcome}"), times);
        sums.expect(&format!("mainstay.repo.commit.duration {outcome}"), times);
    }
    sums.expect("mainstay.repo.commit.changes", 3.0);
    sums.expect("mainstay.repo.commit.attempts", 2.0);
    sums.expect("mainstay.repo.commit.batch", 2.0);
}

#[tokio::test]
async fn a_commit_that_loses_its_number_tells_of_another_attempt() {
    let sums = Arc::new(Sums::default());
    let storage = Arc::new(MemoryStorage::new());
    let told = options(1).with_metrics(Arc::clone(&sums) as _);
    let repo = Repo::create(Arc::clone(&storage) as _, told).await.unwrap();
    let other = Repo::open(storage, options(2)).await.unwrap();
    let elsewhere = set("note/other", 1, Expectation::Any);
    committed(other.commit(elsewhere).await.unwrap());
    // This handle does not know of the entry of the other one.
    committed(
        repo.commit(set("note/own", 1, Expectation::Any))
            .await
            .unwrap(),
    );
    sums.expect("mainstay.repo.commit.attempts", 2.0);
    sums.expect("mainstay.repo.commit.batch", 1.0);
}

#[tokio::test]
async fn bytes_are_told_where_they_are_stored_read_collected_and_replicated() {
    let sums = Arc::new(Sums::default());
    let repo = watched(&sums, 1).await;
    let large = vec![7; 300_000];
    let mut new_bytes = 0;
    for _ in 0..2 {
        let mut ingest = repo.ingest();
        ingest.bytes(large.clone().into()).await.unwrap();
        let small = ingest.bytes("small".into()).await.unwrap();
        let report = ingest.finish().await.unwrap();
        let blob = repo.blob(&small.digest).await.unwrap().unwrap();
        assert_eq!(blob.bytes().await.unwrap(), "small");
        assert_eq!(report.logical_bytes, 300_005);
        new_bytes += report.new_bytes;
    }
    sums.expect("mainstay.repo.ingest.blobs", 4.0);
    sums.expect("mainstay.repo.ingest.io given", 600_010.0);
    let new_bytes = f64::from(u32::try_from(new_bytes).unwrap());
    sums.expect("mainstay.repo.ingest.io new", new_bytes);
    sums.expect("mainstay.repo.restore.io", 10.0);
    let blob = repo
        .blob(&mainstay_core::Digest::of(&large))
        .await
        .unwrap()
        .unwrap();
    blob.range(1_000..2_000).await.unwrap();
    sums.expect("mainstay.repo.restore.io", 1_010.0);

    let note = crate::support::note("kept").with_blobs([blob.digest()]);
    let mut keep = transaction();
    keep.set(path("note/kept"), note, Expectation::Any);
    committed(repo.commit(keep).await.unwrap());
    let target = watched(&Arc::default(), 2).await;
    let mirror = Actor::new("mirror").unwrap();
    let options = ReplicateOptions::default();
    let report = repo
        .replicate(&target, &options, mirror.clone())
        .await
        .unwrap();
    sums.expect("mainstay.repo.replication.transactions", 1.0);
    let read = f64::from(u32::try_from(report.read_bytes).unwrap());
    sums.expect("mainstay.repo.replication.io read", read);

    let now = CollectOptions::default().with_grace(Duration::ZERO);
    let plan = repo.plan_collection(&now).await.unwrap();
    let report = repo
        .apply_collection(&plan, mirror, "collect")
        .await
        .unwrap();
    let waiting = f64::from(u32::try_from(report.waiting).unwrap());
    sums.expect("mainstay.repo.collection.packs wait", waiting);
}
