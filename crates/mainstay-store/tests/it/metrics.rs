//! What whoever watches is told of a storage.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use mainstay_core::{Attribute, ErrorKind, Instrument, ManualClock, Metrics, Timestamp};
use mainstay_store::fault::{Fault, FaultStorage, Trigger, Verb};
use mainstay_store::{
    ByteRange, Key, MemoryStorage, MetricsStorage, Prefix, PutMode, Storage as _, StorageExt as _,
    Timer,
};

/// Sums and counts of values, by instrument and attributes.
#[derive(Debug, Default)]
struct Recorded(Mutex<BTreeMap<String, (u64, f64)>>);

impl Recorded {
    fn note(&self, instrument: &Instrument, attributes: &[Attribute], value: f64) {
        let values = attributes.iter().map(|(_, value)| *value);
        let line = format!(
            "{} {}",
            instrument.name,
            values.collect::<Vec<_>>().join(" ")
        );
        let mut recorded = self.0.lock().unwrap();
        let (count, sum) = recorded.entry(line).or_default();
        *count += 1;
        *sum += value;
    }

    fn lines(&self) -> BTreeMap<String, (u64, f64)> {
        self.0.lock().unwrap().clone()
    }
}

impl Metrics for Recorded {
    fn add(&self, counter: &'static Instrument, amount: u64, attributes: &[Attribute]) {
        self.note(
            counter,
            attributes,
            f64::from(u32::try_from(amount).unwrap()),
        );
    }

    fn record(&self, histogram: &'static Instrument, value: f64, attributes: &[Attribute]) {
        self.note(histogram, attributes, value);
    }
}

/// A clock that moves while somebody waits on it.
#[derive(Debug)]
struct Waiting(Arc<ManualClock>);

#[async_trait]
impl Timer for Waiting {
    async fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
    }
}

#[tokio::test]
async fn calls_errors_bytes_and_durations_are_told_and_no_key_is() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let timer = Arc::new(Waiting(Arc::clone(&clock)));
    let inner = FaultStorage::with_timer(MemoryStorage::new(), timer);
    inner.fail_at(1, Fault::Refuse(ErrorKind::Unavailable));
    inner.fail_at(2, Fault::Delay(Duration::from_millis(250)));
    let lists = Trigger::any().with_verb(Verb::List).with_times(1);
    inner.fail_when(lists, Fault::Refuse(ErrorKind::RateLimited));
    let recorded = Arc::new(Recorded::default());
    let storage = MetricsStorage::new(inner, Arc::clone(&recorded) as _, clock);

    let key = Key::new("secret/name").unwrap();
    storage.create(&key, "12345".into()).await.unwrap_err();
    for _ in 0..2 {
        storage
            .create(&key, "12345".into())
            .await
            .map(drop)
            .unwrap();
    }
    let put = storage.put(&key, "123".into(), PutMode::Overwrite).await;
    put.map(drop).unwrap();
    storage.get(&key, ByteRange::Last(2)).await.unwrap();
    storage.get_all(&Key::new("other").unwrap()).await.unwrap();
    for listed in [1, 1] {
        assert_eq!(storage.list(&Prefix::all(), None).count().await, listed);
    }
    storage.delete(&key).await.unwrap();

    let lines = recorded.lines();
    let told = |line: &str| lines.get(line).copied().unwrap_or_default();
    for (operation, count) in [
        ("create", 2),
        ("create unavailable", 1),
        ("overwrite", 1),
        ("get", 2),
        ("list", 1),
        ("list rate_limited", 1),
        ("delete", 1),
    ] {
        for instrument in ["operations", "operation.duration"] {
            let line = format!("mainstay.storage.{instrument} memory {operation}");
            assert_eq!(told(&line).0, count, "{line}: {lines:?}");
        }
    }
    let created = told("mainstay.storage.operation.duration memory create");
    assert!((created.1 - 0.25).abs() < 1e-9, "{created:?}");
    let (read, written) = (
        told("mainstay.storage.io memory read"),
        told("mainstay.storage.io memory write"),
    );
    assert_eq!((read, written), ((1, 2.0), (2, 8.0)));
    assert!(
        !lines.keys().any(|line| line.contains("secret")),
        "{lines:?}"
    );
}
