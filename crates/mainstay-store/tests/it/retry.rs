//! Retrying over a storage that fails on schedule.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use mainstay_core::{Error, ErrorKind, Result};
use mainstay_store::fault::{Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{
    ByteRange, Capabilities, Key, MemoryStorage, NoWait, Object, ObjectMeta, Prefix, PutMode,
    PutOutcome, RetryOptions, RetryStorage, Storage, StorageExt as _, Timer,
};

type Faulty = Arc<FaultStorage<MemoryStorage>>;

fn key() -> Key {
    Key::new("log/1").unwrap()
}

fn retrying(attempts: u32) -> (Faulty, RetryStorage<Faulty>) {
    let faulty = Arc::new(FaultStorage::new(MemoryStorage::new()));
    let options = RetryOptions::default().with_attempts(attempts).with_seed(7);
    let storage = RetryStorage::new(Arc::clone(&faulty), Arc::new(NoWait::default()), options);
    (faulty, storage)
}

async fn write(storage: &impl Storage, bytes: &'static str) {
    storage
        .put(&key(), bytes.into(), PutMode::Overwrite)
        .await
        .map(drop)
        .unwrap();
}

#[tokio::test]
async fn every_verb_survives_failures_fewer_than_its_attempts() {
    for verb in [Verb::Get, Verb::Put, Verb::List, Verb::Delete] {
        for fault in [
            Fault::Refuse(ErrorKind::Unavailable),
            Fault::Refuse(ErrorKind::RateLimited),
            Fault::LoseRequest,
            Fault::LoseResponse,
        ] {
            let (faulty, storage) = retrying(3);
            faulty.fail_when(Trigger::any().with_verb(verb).with_times(2), fault);
            assert_eq!(
                storage.create(&key(), "1".into()).await.unwrap(),
                PutOutcome::Written
            );
            assert_eq!(storage.get_all(&key()).await.unwrap().unwrap(), "1");
            let listed: Vec<_> = storage
                .list(&Prefix::all(), None)
                .try_collect()
                .await
                .unwrap();
            assert_eq!(listed.len(), 1);
            storage.delete(&key()).await.unwrap();
            assert!(faulty.inner().get_all(&key()).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn the_last_error_is_returned_when_attempts_run_out() {
    let (faulty, storage) = retrying(3);
    faulty.fail_when(Trigger::any(), Fault::Refuse(ErrorKind::RateLimited));
    let error = storage.get_all(&key()).await.unwrap_err();
    assert_eq!(
        (error.kind(), faulty.operations()),
        (ErrorKind::RateLimited, 3)
    );
}

#[tokio::test]
async fn the_requests_of_a_call_that_never_succeeds_are_bounded() {
    const ATTEMPTS: u64 = 4;
    let (unavailable, lost) = (Fault::Refuse(ErrorKind::Unavailable), Fault::LoseRequest);
    for (fault, create, other) in [
        (unavailable, ATTEMPTS, ATTEMPTS),
        // The first attempt is ambiguous, and reading back fails as often as anything else.
        (lost, 1 + ATTEMPTS, ATTEMPTS),
    ] {
        let (faulty, storage) = retrying(4);
        faulty.fail_when(Trigger::any(), fault);
        let count = || faulty.operations();
        storage.create(&key(), "".into()).await.unwrap_err();
        assert_eq!(count(), create);
        let mode = PutMode::Overwrite;
        storage.put(&key(), "".into(), mode).await.unwrap_err();
        storage.get_all(&key()).await.unwrap_err();
        storage.delete(&key()).await.unwrap_err();
        let listed: Result<Vec<_>> = storage.list(&Prefix::all(), None).try_collect().await;
        listed.unwrap_err();
        assert_eq!(count(), create + 4 * other);
    }
    // Every creation is lost and can be read back.
    let (faulty, storage) = retrying(4);
    faulty.fail_when(Trigger::any().with_verb(Verb::Put), lost);
    storage.create(&key(), "".into()).await.unwrap_err();
    assert_eq!(faulty.operations(), 2 * ATTEMPTS);
}

#[tokio::test]
async fn an_error_that_will_not_go_away_is_not_tried_again() {
    let (faulty, storage) = retrying(3);
    faulty.fail_when(Trigger::any(), Fault::Refuse(ErrorKind::PermissionDenied));
    let error = storage.create(&key(), "".into()).await.unwrap_err();
    assert_eq!(
        (error.kind(), faulty.operations()),
        (ErrorKind::PermissionDenied, 1)
    );
    assert!(!error.is_ambiguous());
}

#[tokio::test]
async fn a_create_whose_response_was_lost_is_known_by_its_bytes() {
    for (there, mine, outcome) in [
        (None, "mine", PutOutcome::Written),
        (Some("theirs"), "mine", PutOutcome::Exists),
        (Some("mine, longer"), "mine", PutOutcome::Exists),
    ] {
        for fault in [Fault::LoseRequest, Fault::LoseResponse] {
            let (faulty, storage) = retrying(3);
            if let Some(there) = there {
                write(faulty.inner(), there).await;
            }
            faulty.fail_at(1, fault);
            assert_eq!(storage.create(&key(), mine.into()).await.unwrap(), outcome);
            let kept = faulty.inner().get_all(&key()).await.unwrap().unwrap();
            assert_eq!(kept, there.unwrap_or(mine));
        }
    }
}

#[tokio::test]
async fn a_create_that_lands_late_is_known_when_the_next_attempt_finds_it() {
    let (faulty, storage) = retrying(3);
    // The request is lost as far as the read back can see, and then arrives after all.
    faulty.fail_at(1, Fault::LoseRequest);
    faulty.fail_at(2, Fault::Delay(Duration::ZERO));
    faulty.fail_at(3, Fault::LoseResponse);
    let outcome = storage.create(&key(), "mine".into()).await.unwrap();
    assert_eq!(outcome, PutOutcome::Written);
    assert_eq!(faulty.operations(), 4);
}

#[tokio::test]
async fn a_create_that_cannot_be_read_back_fails_ambiguously() {
    let (faulty, storage) = retrying(2);
    faulty.fail_at(1, Fault::LoseResponse);
    faulty.fail_when(
        Trigger::any().with_verb(Verb::Get),
        Fault::Refuse(ErrorKind::Unavailable),
    );
    let error = storage.create(&key(), "mine".into()).await.unwrap_err();
    assert!(error.is_ambiguous());
    assert_eq!(error.operation_name(), Some("put"));
}

#[tokio::test]
async fn an_ambiguous_attempt_leaves_the_last_error_ambiguous() {
    let (faulty, storage) = retrying(2);
    faulty.fail_at(1, Fault::LoseRequest);
    faulty.fail_at(2, Fault::Refuse(ErrorKind::Unavailable));
    let error = storage
        .put(&key(), "1".into(), PutMode::Overwrite)
        .await
        .unwrap_err();
    assert!(error.is_ambiguous());
}

/// Fails each listing after two keys.
#[derive(Debug)]
struct CutShort(MemoryStorage);

#[async_trait]
impl Storage for CutShort {
    async fn get(&self, key: &Key, range: ByteRange) -> Result<Option<Object>> {
        self.0.get(key, range).await
    }

    async fn put(&self, key: &Key, bytes: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.0.put(key, bytes, mode).await
    }

    fn list(&self, prefix: &Prefix, after: Option<&Key>) -> BoxStream<'_, Result<ObjectMeta>> {
        let cut = stream::once(async { Err(Error::new(ErrorKind::Unavailable, "cut short")) });
        self.0.list(prefix, after).take(2).chain(cut).boxed()
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.delete(key).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
}

#[tokio::test]
async fn a_listing_goes_on_behind_the_last_key_it_returned() {
    let memory = MemoryStorage::new();
    for n in 0..9 {
        let key = Key::new(format!("{n}")).unwrap();
        memory.create(&key, "".into()).await.map(drop).unwrap();
    }
    let options = RetryOptions::default().with_attempts(3);
    let storage = RetryStorage::new(CutShort(memory), Arc::new(NoWait::default()), options);
    let mut listing = storage.list(&Prefix::all(), None);
    let mut listed = Vec::new();
    // It fails for good at the end, where there is nothing to go on behind.
    while let Ok(Some(object)) = listing.try_next().await {
        listed.push(object.key.to_string());
    }
    assert_eq!(listed, ["0", "1", "2", "3", "4", "5", "6", "7", "8"]);
}

#[derive(Debug, Default)]
struct Recorded(Mutex<Vec<Duration>>);

#[async_trait]
impl Timer for Recorded {
    async fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().push(duration);
    }
}

#[tokio::test]
async fn delays_double_up_to_the_bound_with_jitter_of_half_that_the_seed_decides() {
    let delays = async |seed| {
        let faulty = FaultStorage::new(MemoryStorage::new());
        faulty.fail_when(Trigger::any(), Fault::Refuse(ErrorKind::Unavailable));
        let timer = Arc::new(Recorded::default());
        let options = RetryOptions::default()
            .with_attempts(6)
            .with_delays(Duration::from_millis(100), Duration::from_millis(700))
            .with_seed(seed);
        let storage = RetryStorage::new(faulty, Arc::<Recorded>::clone(&timer), options);
        storage.get_all(&key()).await.unwrap_err();
        timer.0.lock().unwrap().clone()
    };
    let first = delays(1).await;
    for (delay, ceiling) in first.iter().zip([100, 200, 400, 700, 700]) {
        let ceiling = Duration::from_millis(ceiling);
        assert!(*delay > ceiling / 2 && *delay <= ceiling, "{first:?}");
    }
    assert_eq!(first.len(), 5);
    assert_eq!(first, delays(1).await);
    assert_ne!(first, delays(2).await);
}

#[tokio::test]
async fn the_greatest_delays_do_not_overflow() {
    let (faulty, _) = retrying(1);
    faulty.fail_when(
        Trigger::any().with_times(80),
        Fault::Refuse(ErrorKind::Unavailable),
    );
    let options = RetryOptions::default()
        .with_attempts(100)
        .with_delays(Duration::MAX, Duration::MAX);
    let storage = RetryStorage::new(Arc::clone(&faulty), Arc::new(NoWait::default()), options);
    assert!(storage.get_all(&key()).await.unwrap().is_none());
}
