//! The probe, alone and before the first write.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use mainstay_core::{ErrorKind, SeededIds};
use mainstay_store::fault::{Fault, FaultStorage, Lie, LyingStorage, Trigger, Verb};
use mainstay_store::{
    Key, MemoryStorage, MeterReading, MeterStorage, Prefix, ProbeStorage, PutMode, PutOutcome,
    ReadOnlyStorage, Storage, StorageExt as _, probe,
};

const REQUESTS: u64 = 113;

fn ids() -> SeededIds {
    SeededIds::new(1)
}

fn probed<S: Storage>(storage: S) -> ProbeStorage<S> {
    ProbeStorage::new(storage, Arc::new(ids()))
}

fn key() -> Key {
    Key::new("log/1").unwrap()
}

async fn keys(storage: &impl Storage) -> Vec<String> {
    let listing = storage.list(&Prefix::all(), None);
    let keys = listing.map_ok(|object| object.key.to_string());
    keys.try_collect().await.unwrap()
}

fn promise(lie: Lie) -> &'static str {
    match lie {
        Lie::NeverMatches => "creation",
        Lie::IgnoresCondition | Lie::Races => "exclusive creation",
        Lie::StaleReads | Lie::ForgetsWrites => "read-after-write",
        Lie::StaleLists => "list-after-write",
        other => panic!("{other:?} has no promise"),
    }
}

#[tokio::test]
async fn an_honest_storage_passes_for_the_documented_requests_and_is_left_empty() {
    let storage = MeterStorage::new(MemoryStorage::new());
    probe(&storage, &ids()).await.unwrap();
    assert_eq!(storage.reading().requests(), REQUESTS);
    assert!(keys(&storage).await.is_empty());
}

#[tokio::test]
async fn every_lie_is_refused_by_the_name_of_the_promise_whatever_the_seed() {
    for &lie in Lie::all() {
        for seed in 0..200 {
            let storage = LyingStorage::new(MemoryStorage::new(), lie, seed);
            let error = probe(&storage, &SeededIds::new(seed)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{lie:?}: {error}");
            let contexts: Vec<_> = error.contexts().collect();
            assert!(
                contexts.contains(&("promise", promise(lie))),
                "{lie:?}: {error}"
            );
            assert!(contexts.contains(&("backend", "memory")));
            assert!(
                keys(storage.inner()).await.is_empty(),
                "{lie:?} leaves keys"
            );
        }
    }
}

#[tokio::test]
async fn an_error_of_the_storage_is_no_verdict_at_any_request() {
    for kind in [ErrorKind::Unavailable, ErrorKind::PermissionDenied] {
        for operation in 1..=REQUESTS {
            let storage = FaultStorage::new(MemoryStorage::new());
            storage.fail_at(operation, Fault::Refuse(kind));
            let error = probe(&storage, &ids()).await.unwrap_err();
            assert_eq!(error.kind(), kind, "request {operation}: {error}");
            assert!(keys(storage.inner()).await.is_empty());
        }
    }
}

#[tokio::test]
async fn lost_answers_never_count_as_lies() {
    for fault in [Fault::LoseRequest, Fault::LoseResponse] {
        for operation in 1..=REQUESTS {
            let storage = FaultStorage::new(MemoryStorage::new());
            storage.fail_at(operation, fault);
            let error = probe(&storage, &ids()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{operation}: {error}");
        }
    }
}

#[tokio::test]
async fn reading_costs_no_probe_and_writing_costs_one() {
    let metered = MeterStorage::new(MemoryStorage::new());
    let storage = probed(&metered);
    storage.get_all(&key()).await.unwrap();
    assert!(keys(&storage).await.is_empty());
    let meter = || metered.reading().requests();
    assert_eq!(meter(), 2);
    storage.delete(&key()).await.unwrap();
    assert_eq!(meter(), 2 + REQUESTS + 1);
    let outcome = storage.create(&key(), "1".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
    assert_eq!(meter(), 2 + REQUESTS + 2);
    assert_eq!(keys(&storage).await, ["log/1"]);
}

#[tokio::test]
async fn of_many_first_writes_at_the_same_time_one_probes_and_all_are_written() {
    // Every call lets the others run.
    let slow = FaultStorage::new(MemoryStorage::new());
    slow.fail_when(Trigger::any(), Fault::Delay(Duration::ZERO));
    let metered = MeterStorage::new(slow);
    let storage = probed(&metered);
    let writes = (0..50).map(|n| {
        let key = Key::new(format!("log/{n}")).unwrap();
        let storage = &storage;
        async move { storage.create(&key, "".into()).await }
    });
    for outcome in futures::future::join_all(writes).await {
        assert_eq!(outcome.unwrap(), PutOutcome::Written);
    }
    assert_eq!(metered.reading().requests(), REQUESTS + 50);
}

#[tokio::test]
async fn no_write_reaches_a_storage_that_lies_and_reading_it_goes_on() {
    for &lie in Lie::all() {
        let memory = MemoryStorage::new();
        memory.create(&key(), "old".into()).await.map(drop).unwrap();
        let metered = MeterStorage::new(LyingStorage::new(memory, lie, 1));
        let storage = probed(&metered);
        let mut cost = MeterReading::default();
        for attempt in 0..3 {
            for mode in [PutMode::Create, PutMode::Overwrite] {
                let error = storage.put(&key(), "new".into(), mode).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(error.to_string().contains(promise(lie)), "{error}");
                assert!(!error.is_ambiguous());
            }
            let error = storage.delete(&key()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            if attempt > 0 {
                assert_eq!(metered.reading(), cost, "{lie:?} is probed again");
            }
            cost = metered.reading();
        }
        assert_eq!(storage.get_all(&key()).await.unwrap().unwrap(), "old");
        assert_eq!(keys(&storage).await, ["log/1"]);
    }
}

#[tokio::test]
async fn after_an_error_of_the_storage_the_next_write_probes_again() {
    let faulty = FaultStorage::new(MemoryStorage::new());
    let storage = probed(&faulty);
    let puts = Trigger::any().with_verb(Verb::Put);
    faulty.fail_when(puts.with_times(1), Fault::LoseResponse);
    let error = storage.create(&key(), "1".into()).await.unwrap_err();
    assert!(error.is_retryable() && !error.is_ambiguous());
    assert_eq!(
        error.to_string(),
        "put: the storage could not be probed before the first write (key: log/1)"
    );
    let outcome = storage.create(&key(), "1".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
}

#[tokio::test]
async fn credentials_that_may_only_read_read_and_are_told_so_when_they_write() {
    let memory = MemoryStorage::new();
    memory.create(&key(), "1".into()).await.map(drop).unwrap();
    let storage = probed(ReadOnlyStorage::new(memory));
    assert_eq!(storage.get_all(&key()).await.unwrap().unwrap(), "1");
    let error = storage.delete(&key()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_probe_dropped_half_way_is_taken_up_by_the_next_write() {
    let slow = FaultStorage::new(MemoryStorage::new());
    slow.fail_when(Trigger::any(), Fault::Delay(Duration::ZERO));
    let storage = probed(&slow);
    let first = key();
    let mut write = storage.create(&first, "1".into());
    for _ in 0..5 {
        let pending = futures::poll!(&mut write).is_pending();
        assert!(pending);
        tokio::task::yield_now().await;
    }
    drop(write);
    let outcome = storage.create(&key(), "1".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
    assert_eq!(storage.get_all(&key()).await.unwrap().unwrap(), "1");
}
