//! Tallies: what is counted is read, once; what it costs; crashes; damage.

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::{Actor, ErrorKind, RefPath, Result};
use mainstay_repo::{
    Accuracy, CollectOptions, Expectation, Lease, Repo, Scale, Tally, TallyName, VerifyLevel,
};
use mainstay_store::fault::{Applied, Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{Key, MemoryStorage, MeterStorage, Prefix, PutMode, Storage, StorageExt as _};

use crate::support::{committed, options, repo, transaction};
use futures::TryStreamExt as _;

fn tester() -> Actor {
    Actor::new("tester").unwrap()
}

fn name(text: &str) -> TallyName {
    text.parse().unwrap()
}

fn subject() -> TallyName {
    name("experiment/checkout")
}

fn tally(repo: &Repo) -> Tally {
    repo.tally(&subject(), tester()).unwrap()
}

async fn count(tally: &Tally, events: u64) -> Result<()> {
    tally.counter(&name("events")).unwrap().add(events);
    tally.flush().await
}

async fn total(repo: &Repo) -> u64 {
    let totals = repo.read_tally(&subject()).await.unwrap();
    totals.count(&name("events"))
}

async fn lease(repo: &Repo) -> Lease {
    let contender = repo
        .lease("tallies", tester(), Duration::from_secs(1))
        .unwrap();
    contender.acquire(2).await.unwrap().unwrap()
}

async fn compact(repo: &Repo) -> mainstay_repo::CompactionReport {
    let lease = lease(repo).await;
    let report = repo.compact_tally(&subject(), &lease).await.unwrap();
    lease.release().await.unwrap();
    report
}

async fn keys(storage: &Arc<dyn Storage>) -> Vec<Key> {
    let prefix = Prefix::directory("tally").unwrap();
    let listed = storage.list(&prefix, None).map_ok(|object| object.key);
    listed.try_collect().await.unwrap()
}

fn memory() -> Arc<dyn Storage> {
    Arc::new(MemoryStorage::new())
}

#[tokio::test]
async fn replicas_of_other_processes_add_up_before_and_after_compaction() {
    let storage = memory();
    let (a, b) = (repo(&storage, 1).await, repo(&storage, 2).await);
    let (in_a, in_b) = (tally(&a), tally(&b));
    count(&in_a, 1).await.unwrap();
    count(&in_b, 2).await.unwrap();
    count(&in_a, 4).await.unwrap();
    assert_eq!([total(&a).await, total(&b).await], [7, 7]);
    let report = compact(&b).await;
    assert_eq!((report.folded, report.deleted), (2, 2));
    assert_eq!(keys(&storage).await.len(), 1);
    // Both live on.
    count(&in_a, 8).await.unwrap();
    count(&in_b, 16).await.unwrap();
    assert_eq!([total(&a).await, total(&b).await], [31, 31]);
    let report = compact(&a).await;
    assert_eq!((report.folded, report.deleted), (2, 3));
    assert_eq!([total(&a).await, total(&b).await], [31, 31]);
    let log_entries = a.view().await.unwrap().seq();
    assert_eq!(
        compact(&a).await,
        mainstay_repo::CompactionReport::default()
    );
    // Nothing new: only the lease was taken and released.
    assert_eq!(a.view().await.unwrap().seq(), log_entries + 2);
}

#[tokio::test]
async fn what_is_not_flushed_is_not_read_and_each_register_has_its_kind() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    let tally = tally(&repo);
    let counter = tally.counter(&name("x")).unwrap();
    let sums = [Scale::INTEGER, Scale::BITS_32];
    for scale in sums {
        tally
            .accumulator(&name("x"), scale)
            .unwrap()
            .add(2.25)
            .unwrap();
    }
    counter.add(3);
    assert_eq!(
        repo.read_tally(&subject())
            .await
            .unwrap()
            .registers()
            .count(),
        0
    );
    tally.flush().await.unwrap();
    let totals = repo.read_tally(&subject()).await.unwrap();
    assert_eq!(totals.registers().count(), 3);
    assert_eq!(totals.count(&name("x")), 3);
    assert_eq!(
        sums.map(|scale| totals.sum(&name("x"), scale).to_string()),
        ["2", "2.25"]
    );
    assert!(totals.sketch(&name("x"), Accuracy::ONE_PERCENT).is_none());
    assert_eq!(repo.tally_subjects().await.unwrap(), [subject()]);
}

#[tokio::test]
async fn a_number_that_is_none_is_refused_and_nothing_is_counted() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    let (tally, other) = (tally(&repo), tally(&repo));
    let counter = tally.counter(&name("events")).unwrap();
    let sum = tally.accumulator(&name("sum"), Scale::BITS_32).unwrap();
    let histogram = tally.histogram(&name("ms"), Accuracy::ONE_PERCENT).unwrap();
    for bad in [f64::NAN, f64::INFINITY] {
        assert_eq!(sum.add(bad).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(
            histogram.observe(bad).unwrap_err().kind(),
            ErrorKind::Invalid
        );
    }
    let foreign = other.counter(&name("events")).unwrap();
    let mixed = tally.record([counter.of(1), foreign.of(1)]);
    assert_eq!(mixed.unwrap_err().kind(), ErrorKind::Invalid);
    tally.flush().await.unwrap();
    assert!(keys(&storage).await.is_empty());
}

#[tokio::test]
async fn threads_count_without_losing_anything() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    let tally = tally(&repo);
    let counter = tally.counter(&name("events")).unwrap();
    let sum = tally.accumulator(&name("sum"), Scale::INTEGER).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5_000 {
                    tally.record([counter.of(1), sum.of(2.0).unwrap()]).unwrap();
                }
            });
        }
    });
    tally.flush().await.unwrap();
    let totals = repo.read_tally(&subject()).await.unwrap();
    assert_eq!(totals.count(&name("events")), 20_000);
    assert_eq!(totals.sum(&name("sum"), Scale::INTEGER).units(), 40_000);
}

#[tokio::test]
async fn subjects_do_not_mix_and_each_is_listed() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    let long = "名".repeat(40);
    let subjects = ["a", "a/b", "A", "a-b", long.as_str()].map(name);
    for (events, subject) in (1..).zip(&subjects) {
        count(&repo.tally(subject, tester()).unwrap(), events)
            .await
            .unwrap();
    }
    let mut sorted = subjects.to_vec();
    sorted.sort();
    assert_eq!(repo.tally_subjects().await.unwrap(), sorted);
    let lease = lease(&repo).await;
    for (events, subject) in (1..).zip(&subjects) {
        let read = async || {
            repo.read_tally(subject)
                .await
                .unwrap()
                .count(&name("events"))
        };
        assert_eq!(read().await, events);
        repo.compact_tally(subject, &lease).await.unwrap();
        assert_eq!(read().await, events);
    }
    assert_eq!(repo.tally_subjects().await.unwrap(), sorted);
}

#[tokio::test]
async fn a_flush_costs_one_write_and_one_deletion_and_an_idle_one_nothing() {
    let meter = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<MeterStorage<_>>::clone(&meter);
    let repo = repo(&storage, 1).await;
    let tally = tally(&repo);
    count(&tally, 1).await.unwrap();
    let before = meter.reading();
    count(&tally, 1).await.unwrap();
    let after = meter.reading();
    let counts = [
        after.puts - before.puts,
        after.gets - before.gets,
        after.deletes - before.deletes,
        after.lists - before.lists,
    ];
    assert_eq!(counts, [1, 2, 1, 0]);
    tally.flush().await.unwrap();
    assert_eq!(meter.reading(), after);
    assert_eq!(keys(&storage).await.len(), 1);
}

#[tokio::test]
async fn a_flush_that_meets_a_compaction_counts_once_wherever_it_was() {
    // The flush is held back before its write, and before it looks at the log again.
    for held_at in [Verb::Put, Verb::Get] {
        for (seal_only, compactions) in [(true, 0), (false, 1), (false, 3)] {
            let storage = memory();
            let faulty = Arc::new(FaultStorage::new(Arc::clone(&storage)));
            let (a, b) = (
                repo(&(Arc::clone(&faulty) as _), 1).await,
                repo(&storage, 2).await,
            );
            let (in_a, in_b) = (tally(&a), tally(&b));
            count(&in_a, 1).await.unwrap();
            // The look before the write passes.
            let start = if held_at == Verb::Put {
                "tally/"
            } else {
                "log/"
            };
            let skip = u64::from(held_at == Verb::Get);
            let trigger = Trigger::any().with_verb(held_at).with_key_start(start);
            let fault = Fault::Refuse(ErrorKind::Unavailable);
            faulty.fail_when(trigger.with_skip(skip).with_times(1), fault);
            assert!(count(&in_a, 2).await.is_err());
            if seal_only {
                // A compactor that dies before it folds.
                let trigger = Trigger::any().with_verb(Verb::Put).with_key_start("tally/");
                let dying = Arc::new(FaultStorage::new(Arc::clone(&storage)));
                let c = repo(&(Arc::clone(&dying) as _), 3).await;
                dying.fail_when(trigger, Fault::NoSpace);
                let lease = lease(&c).await;
                c.compact_tally(&subject(), &lease).await.unwrap_err();
            }
            for events in 0..compactions {
                count(&in_b, 100 << events).await.unwrap();
                compact(&b).await;
            }
            let others: u64 = (0..compactions).map(|events| 100 << events).sum();
            let read = total(&b).await - others;
            let landed = held_at == Verb::Get;
            assert_eq!(
                read,
                if landed { 3 } else { 1 },
                "{held_at:?} {compactions}"
            );
            in_a.flush().await.unwrap();
            assert_eq!(total(&b).await, 3 + others);
            count(&in_a, 4).await.unwrap();
            assert_eq!(total(&b).await, 7 + others, "{held_at:?} {compactions}");
            compact(&b).await;
            assert_eq!(total(&a).await, 7 + others);
        }
    }
}

#[tokio::test]
async fn a_compactor_that_lost_its_lease_commits_nothing() {
    let storage = memory();
    let (a, b) = (repo(&storage, 1).await, repo(&storage, 2).await);
    count(&tally(&a), 1).await.unwrap();
    let lost = lease(&a).await;
    let held = lease(&b).await;
    assert!(held.epoch() > lost.epoch());
    let head = a.view().await.unwrap().seq();
    let error = a.compact_tally(&subject(), &lost).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(a.view().await.unwrap().seq(), head);
    b.compact_tally(&subject(), &held).await.unwrap();
    assert_eq!(total(&a).await, 1);
}

/// What a process did before it died.
#[derive(Default)]
struct Acknowledged {
    created: bool,
    events: u64,
    attempted: u64,
}

/// A process counts, flushes and compacts, twice.
async fn live(storage: &Arc<dyn Storage>, acknowledged: &mut Acknowledged) -> Result<()> {
    let repo = Repo::create(Arc::clone(storage), options(1)).await?;
    acknowledged.created = true;
    let tally = tally(&repo);
    let contender = repo.lease("tallies", tester(), Duration::from_secs(1))?;
    for round in 0..2 {
        for events in [1, 10] {
            let events = events * (1 + 99 * round);
            acknowledged.attempted += events;
            count(&tally, events).await?;
            acknowledged.events += events;
        }
        if let Some(lease) = contender.acquire(2).await? {
            repo.compact_tally(&subject(), &lease).await?;
            lease.release().await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn after_a_crash_at_any_operation_what_was_acknowledged_is_read_and_compaction_goes_on() {
    let counted = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<FaultStorage<_>>::clone(&counted);
    live(&storage, &mut Acknowledged::default()).await.unwrap();
    for k in 1..=counted.operations() {
        for applied in [Applied::Yes, Applied::No] {
            let faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
            let storage: Arc<dyn Storage> = Arc::<FaultStorage<_>>::clone(&faulty);
            faulty.crash_at(k, applied);
            let mut acknowledged = Acknowledged::default();
            let lived = live(&storage, &mut acknowledged).await;
            // Deleting what is of no more use may fail unnoticed.
            assert!(lived.is_err() || faulty.is_crashed());
            faulty.revive();
            let at = format!("operation {k}, {applied:?}");
            let repo = Repo::create(Arc::clone(&storage), options(2))
                .await
                .unwrap();
            let read = total(&repo).await;
            let promised = acknowledged.events..=acknowledged.attempted;
            assert!(promised.contains(&read), "{at}: {read} of {promised:?}");
            for _ in 0..2 {
                compact(&repo).await;
                assert_eq!(total(&repo).await, read, "{at}");
            }
            assert!(keys(&storage).await.len() <= 1, "{at}");
            count(&tally(&repo), 5).await.unwrap();
            assert_eq!(total(&repo).await, read + 5, "{at}");
            let report = repo.verify(VerifyLevel::Full).await.unwrap();
            assert_eq!(report.faults, [], "{at}");
        }
    }
}

#[tokio::test]
async fn lost_answers_at_any_operation_neither_lose_nor_double() {
    let counted = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let storage: Arc<dyn Storage> = Arc::<FaultStorage<_>>::clone(&counted);
    live(&storage, &mut Acknowledged::default()).await.unwrap();
    for k in 1..=counted.operations() {
        for fault in [Fault::LoseResponse, Fault::LoseRequest] {
            let faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
            let storage: Arc<dyn Storage> = Arc::<FaultStorage<_>>::clone(&faulty);
            let repo = Repo::create(Arc::clone(&storage), options(1))
                .await
                .unwrap();
            let tally = tally(&repo);
            faulty.fail_at(faulty.operations() + k, fault);
            for events in [1, 10, 100] {
                tally.counter(&name("events")).unwrap().add(events);
                while tally.flush().await.is_err() {}
                let contender = repo
                    .lease("tallies", tester(), Duration::from_secs(1))
                    .unwrap();
                let compaction = async {
                    let Some(lease) = contender.acquire(3).await? else {
                        return Ok(());
                    };
                    repo.compact_tally(&subject(), &lease).await?;
                    lease.release().await
                };
                drop(compaction.await);
            }
            faulty.clear();
            assert_eq!(total(&repo).await, 111, "operation {k}, {fault:?}");
        }
    }
}

#[tokio::test]
async fn damaged_objects_are_named_and_never_summed() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    let tally = tally(&repo);
    count(&tally, 1).await.unwrap();
    compact(&repo).await;
    count(&tally, 1).await.unwrap();
    let keys = keys(&storage).await;
    assert_eq!(keys.len(), 2);
    for key in &keys {
        let good = storage.get_all(key).await.unwrap().unwrap();
        let mut bad = good.to_vec();
        bad[100] ^= 1;
        overwrite(&storage, key, bad.into()).await;
        let error = repo.read_tally(&subject()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(key.as_str()), "{error}");
        assert_eq!(faults(&repo).await, [(key.to_string(), "corrupt")]);
        // Another object's bytes are as wrong.
        let other = keys.iter().find(|other| *other != key).unwrap();
        let others = storage.get_all(other).await.unwrap().unwrap();
        overwrite(&storage, key, others).await;
        assert_eq!(faults(&repo).await, [(key.to_string(), "corrupt")]);
        overwrite(&storage, key, good).await;
    }
    assert_eq!(faults(&repo).await, []);

    let base = keys
        .iter()
        .find(|key| key.as_str().contains("-base-"))
        .unwrap();
    storage.delete(base).await.unwrap();
    let error = repo.read_tally(&subject()).await.unwrap_err();
    assert!(error.to_string().contains(base.as_str()), "{error}");
    assert_eq!(faults(&repo).await, [(base.to_string(), "missing")]);
}

#[tokio::test]
async fn keys_that_are_of_no_tally_and_deleted_refs_are_found() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    count(&tally(&repo), 1).await.unwrap();
    compact(&repo).await;
    let stray = Key::new("tally/x/y").unwrap();
    overwrite(&storage, &stray, "z".into()).await;
    assert_eq!(faults(&repo).await, [("tally/x/y".to_owned(), "unknown")]);
    storage.delete(&stray).await.unwrap();

    let mut delete = transaction();
    let path: RefPath = "tally/experiment/checkout".parse().unwrap();
    delete.delete(path, Expectation::Any);
    committed(repo.commit(delete).await.unwrap());
    let error = repo.read_tally(&subject()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let object = "ref tally/experiment/checkout".to_owned();
    assert_eq!(faults(&repo).await, [(object, "corrupt")]);
}

#[tokio::test]
async fn collection_leaves_tallies_alone_and_statistics_count_them() {
    let storage = memory();
    let repo = repo(&storage, 1).await;
    let tally = tally(&repo);
    count(&tally, 1).await.unwrap();
    compact(&repo).await;
    count(&tally, 2).await.unwrap();
    let before = keys(&storage).await;
    for _ in 0..3 {
        let plan = repo
            .plan_collection(&CollectOptions::default())
            .await
            .unwrap();
        repo.apply_collection(&plan, tester(), "collect")
            .await
            .unwrap();
    }
    assert_eq!(keys(&storage).await, before);
    assert_eq!(total(&repo).await, 3);
    assert_eq!(repo.stats().await.unwrap().tally_objects, 2);
}

async fn overwrite(storage: &Arc<dyn Storage>, key: &Key, bytes: bytes::Bytes) {
    let put = storage.put(key, bytes, PutMode::Overwrite);
    put.await.map(drop).unwrap();
}

async fn faults(repo: &Repo) -> Vec<(String, &'static str)> {
    let report = repo.verify(VerifyLevel::Quick).await.unwrap();
    report
        .faults
        .into_iter()
        .map(|fault| (fault.object, fault.kind))
        .collect()
}
