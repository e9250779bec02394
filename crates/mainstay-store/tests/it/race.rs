//! 16 writers create 100 keys on every backend and wrapper.

use std::sync::Arc;

use futures::StreamExt as _;
use mainstay_core::{ErrorKind, SeededIds};
use mainstay_store::conformance::{RaceOptions, race};
use mainstay_store::fault::{Fault, FaultStorage, Lie, LyingStorage, Trigger, Verb};
use mainstay_store::{
    CacheStorage, MemoryStorage, MeterStorage, NoWait, Prefix, PrefixStorage, ProbeStorage,
    ReadOnlyStorage, RetryOptions, RetryStorage, RouteStorage, Storage,
};

async fn has_one_winner_each(storage: impl Storage + 'static) {
    let storage: Arc<dyn Storage> = Arc::new(storage);
    let options = RaceOptions::default();
    let report = race(Arc::clone(&storage), &options).await.unwrap();
    assert!(report.is_exclusive(), "{report}");
    let counts = (report.writers, report.rounds, report.rounds_with_one_winner);
    assert_eq!(counts, (16, 100, 100));
    assert_eq!((report.most_winners, report.failed_calls), (1, 0));
    assert_eq!(storage.list(&Prefix::all(), None).count().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_memory_one_writer_wins_each_round() {
    has_one_winner_each(MemoryStorage::new()).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_directory_one_writer_wins_each_round() {
    use mainstay_store::{Durability, LocalOptions, LocalStorage};
    for durability in [Durability::Strict, Durability::None] {
        let dir = tempfile::tempdir().unwrap();
        let options = LocalOptions::default().with_durability(durability);
        has_one_winner_each(LocalStorage::open(dir.path(), options).await.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn through_every_wrapper_one_writer_wins_each_round() {
    let memory = MemoryStorage::new;
    let prefix = || Prefix::directory("probe").unwrap();
    let retries = RetryOptions::default().with_seed(1);
    let timer = || Arc::new(NoWait::default());
    has_one_winner_each(PrefixStorage::new(memory(), prefix())).await;
    has_one_winner_each(MeterStorage::new(memory())).await;
    has_one_winner_each(CacheStorage::new(memory(), vec![Prefix::all()], 1 << 20)).await;
    has_one_winner_each(RetryStorage::new(memory(), timer(), retries.clone())).await;
    has_one_winner_each(ProbeStorage::new(memory(), Arc::new(SeededIds::new(1)))).await;
    has_one_winner_each(FaultStorage::new(memory())).await;
    let routes = RouteStorage::new(Arc::new(memory()));
    has_one_winner_each(routes.with(prefix(), Arc::new(memory())).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn retrying_over_lost_requests_and_answers_one_writer_wins_each_round() {
    let faulty = FaultStorage::new(MemoryStorage::new());
    faulty.fail_randomly(1, 4, vec![Fault::LoseRequest, Fault::LoseResponse]);
    let options = RetryOptions::default().with_seed(1).with_attempts(60);
    has_one_winner_each(RetryStorage::new(
        faulty,
        Arc::new(NoWait::default()),
        options,
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lost_answers_are_counted_and_the_writer_that_was_not_told_has_won() {
    let faulty = FaultStorage::new(MemoryStorage::new());
    let puts = Trigger::any().with_verb(Verb::Put);
    faulty.fail_when(puts.with_times(5), Fault::LoseResponse);
    let options = RaceOptions::default().with_rounds(10);
    let report = race(Arc::new(faulty), &options).await.unwrap();
    assert!(report.is_exclusive(), "{report}");
    assert_eq!(report.failed_calls, 5);
    assert!(report.to_string().contains("injected loss of the response"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_lie_about_creation_or_reading_shows_in_the_counts() {
    for &lie in Lie::all() {
        for seed in 0..10 {
            let storage = LyingStorage::new(MemoryStorage::new(), lie, seed);
            let options = RaceOptions::default().with_rounds(10).with_seed(seed);
            let report = race(Arc::new(storage), &options).await.unwrap();
            let shown = match lie {
                Lie::IgnoresCondition | Lie::Races => report.rounds_with_several_winners,
                Lie::NeverMatches => report.rounds_without_winner,
                Lie::StaleReads => report.mismatched_reads,
                Lie::ForgetsWrites => report.lost_acknowledgements,
                // A race reads by key and lists only to clean up.
                _ => u64::from(report.is_exclusive()),
            };
            assert!(shown > 0, "{lie:?} with seed {seed}: {report}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storage_that_answers_nothing_ends_the_race_with_its_error() {
    let faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
    faulty.fail_when(Trigger::any(), Fault::Refuse(ErrorKind::Unavailable));
    let options = RaceOptions::default().with_writers(2);
    let shared = Arc::<FaultStorage<_>>::clone(&faulty);
    let error = race(shared, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(faulty.operations(), 6);
    let refusing = Arc::new(ReadOnlyStorage::new(MemoryStorage::new()));
    let error = race(refusing, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}
