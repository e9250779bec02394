use super::*;
use crate::{MemoryStorage, StorageExt as _};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

#[tokio::test]
async fn a_crash_applies_or_not_and_everything_after_it_fails_until_revival() {
    for (applied, there) in [(Applied::Yes, true), (Applied::No, false)] {
        let storage = FaultStorage::new(MemoryStorage::new());
        storage.crash_at(2, applied);
        storage
            .create(&key("a"), "1".into())
            .await
            .map(drop)
            .unwrap();
        let error = storage.create(&key("b"), "2".into()).await.unwrap_err();
        assert!(error.is_ambiguous() && error.is_retryable());
        assert!(storage.is_crashed());
        let error = storage.get_all(&key("a")).await.unwrap_err();
        assert!(!error.is_ambiguous());
        let listed: Vec<_> = storage.list(&Prefix::all(), None).collect().await;
        assert!(matches!(listed.as_slice(), [Err(_)]));
        assert_eq!(storage.operations(), 4);

        storage.revive();
        assert!(storage.get_all(&key("a")).await.unwrap().is_some());
        assert_eq!(storage.get_all(&key("b")).await.unwrap().is_some(), there);
    }
}

#[tokio::test]
async fn a_crash_ends_listings_under_way() {
    let storage = FaultStorage::new(MemoryStorage::new());
    for name in ["a", "b"] {
        storage
            .create(&key(name), "".into())
            .await
            .map(drop)
            .unwrap();
    }
    storage.crash_at(4, Applied::No);
    let mut listing = storage.list(&Prefix::all(), None);
    assert!(listing.next().await.unwrap().is_ok());
    storage.delete(&key("b")).await.unwrap_err();
    assert!(listing.next().await.unwrap().is_err());
}

#[tokio::test]
async fn lost_requests_and_lost_responses_look_the_same_but_only_one_applied() {
    let storage = FaultStorage::new(MemoryStorage::new());
    storage.fail_at(1, Fault::LoseRequest);
    storage.fail_at(2, Fault::LoseResponse);
    for name in ["lost", "kept"] {
        let error = storage.create(&key(name), "".into()).await.unwrap_err();
        assert!(error.is_ambiguous());
    }
    assert!(storage.get_all(&key("lost")).await.unwrap().is_none());
    assert!(storage.get_all(&key("kept")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_refusal_has_its_kind_and_does_not_happen() {
    let storage = FaultStorage::new(MemoryStorage::new());
    storage.fail_at(1, Fault::Refuse(ErrorKind::RateLimited));
    let error = storage.create(&key("a"), "".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(!error.is_ambiguous());
    assert_eq!(
        error.to_string(),
        "put: injected refusal (key: a, operation: 1)"
    );
    assert!(storage.get_all(&key("a")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_full_storage_refuses_puts_and_still_reads_and_deletes() {
    let storage = FaultStorage::new(MemoryStorage::new());
    storage
        .create(&key("a"), "1".into())
        .await
        .map(drop)
        .unwrap();
    storage.fail_when(Trigger::any(), Fault::NoSpace);
    let error = storage.create(&key("b"), "".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(storage.get_all(&key("a")).await.unwrap().is_some());
    storage.delete(&key("a")).await.unwrap();
}

#[tokio::test]
async fn a_flipped_bit_is_one_bit_of_what_is_read_and_not_of_what_is_stored() {
    let storage = FaultStorage::new(MemoryStorage::new());
    storage
        .create(&key("a"), vec![0; 3].into())
        .await
        .map(drop)
        .unwrap();
    storage
        .create(&key("empty"), "".into())
        .await
        .map(drop)
        .unwrap();
    let gets = Trigger::any().with_verb(Verb::Get);
    storage.fail_when(gets.clone().with_times(1), Fault::FlipBit(8 + 24));
    assert_eq!(
        storage.get_all(&key("a")).await.unwrap().unwrap(),
        [0, 1, 0].as_slice()
    );
    assert_eq!(
        storage.get_all(&key("a")).await.unwrap().unwrap(),
        [0; 3].as_slice()
    );
    storage.fail_when(gets, Fault::FlipBit(5));
    assert_eq!(storage.get_all(&key("empty")).await.unwrap().unwrap(), "");
}

#[tokio::test]
async fn a_trigger_picks_by_verb_and_key_after_a_skip_for_a_number_of_times() {
    let storage = FaultStorage::new(MemoryStorage::new());
    let trigger = Trigger::any()
        .with_verb(Verb::Put)
        .with_key_start("log/")
        .with_skip(1)
        .with_times(2);
    storage.fail_when(trigger, Fault::Refuse(ErrorKind::Unavailable));
    storage
        .create(&key("pack/1"), "".into())
        .await
        .map(drop)
        .unwrap();
    let mut refused = Vec::new();
    for n in 1..=5 {
        let outcome = storage.create(&key(&format!("log/{n}")), "".into()).await;
        refused.push(outcome.is_err());
    }
    assert_eq!(refused, [false, true, true, false, false]);
}

#[tokio::test]
async fn random_faults_depend_only_on_the_seed_and_come_at_their_rate() {
    let failures = async |seed| {
        let storage = FaultStorage::new(MemoryStorage::new());
        storage.fail_randomly(seed, 10, vec![Fault::LoseRequest, Fault::LoseResponse]);
        let mut failed = Vec::new();
        for n in 0..2_000 {
            if storage.get_all(&key("a")).await.is_err() {
                failed.push(n);
            }
        }
        failed
    };
    let first = failures(1).await;
    assert_eq!(first, failures(1).await);
    assert_ne!(first, failures(2).await);
    assert!((100..300).contains(&first.len()), "{}", first.len());
}

#[tokio::test]
async fn cleared_plans_do_nothing() {
    let storage = FaultStorage::new(MemoryStorage::new());
    storage.fail_at(1, Fault::LoseRequest);
    storage.fail_when(Trigger::any(), Fault::LoseRequest);
    storage.fail_randomly(1, 1, vec![Fault::LoseRequest]);
    storage.clear();
    storage
        .create(&key("a"), "".into())
        .await
        .map(drop)
        .unwrap();
}

#[tokio::test]
async fn a_delay_waits_on_the_timer_and_then_happens() {
    #[derive(Debug, Default)]
    struct Recorded(Mutex<Vec<std::time::Duration>>);
    #[async_trait]
    impl Timer for Recorded {
        async fn sleep(&self, duration: std::time::Duration) {
            self.0.lock().unwrap().push(duration);
        }
    }
    let timer = Arc::new(Recorded::default());
    let storage = FaultStorage::with_timer(MemoryStorage::new(), Arc::<Recorded>::clone(&timer));
    let delay = std::time::Duration::from_secs(3);
    storage.fail_at(1, Fault::Delay(delay));
    storage
        .create(&key("a"), "".into())
        .await
        .map(drop)
        .unwrap();
    assert_eq!(*timer.0.lock().unwrap(), [delay]);
    assert!(storage.get_all(&key("a")).await.unwrap().is_some());
}
