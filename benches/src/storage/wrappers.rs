//! What each wrapper costs, beside the storage it is around.

use std::sync::Arc;

use futures::future::try_join_all;
use mainstay::store::{
    ByteRange, CacheStorage, Durability, Key, LocalOptions, LocalStorage, MemoryStorage,
    MeterStorage, MetricsStorage, Prefix, PrefixStorage, ProbeStorage, PutMode, ReadOnlyStorage,
    RetryOptions, RetryStorage, RouteStorage, Storage, TokioTimer,
};
use mainstay::{Error, ErrorKind, RandomIds, Result, SystemClock};
use mainstay_core::NoMetrics;
use serde::Serialize;

use super::encryption::encrypted;
use super::input::{Input, SMALL};
use super::metric::median;
use super::scale::Scale;
use super::timing::Stopwatch;

/// The wrapper that is measured by its throughput too.
pub(super) const ENCRYPT: &str = "encrypt";

/// What reading or writing 4 KiB costs through a wrapper.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WrapperRow {
    /// The wrapper.
    pub wrapper: &'static str,
    /// `memory` or `local`.
    pub backend: &'static str,
    /// `get` or `put`.
    pub operation: &'static str,
    /// Nanoseconds of the operation on the raw backend.
    pub raw_ns: f64,
    /// Nanoseconds that the wrapper adds: the median of the differences within a turn.
    pub overhead_ns: f64,
    /// The same, in % of the raw backend: the median of the ratios within a turn.
    pub overhead_percent: f64,
}

/// Measures around memory, and around a durable directory in the system's directory for temporary
/// files.
pub(super) async fn measure(scale: &Scale, input: &Input) -> Result<Vec<WrapperRow>> {
    let memory: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let directory = tempfile::tempdir().map_err(|cause| {
        Error::new(ErrorKind::Unavailable, "no temporary directory").with_source(cause)
    })?;
    let options = LocalOptions::default().with_durability(Durability::Strict);
    let local: Arc<dyn Storage> = Arc::new(LocalStorage::open(directory.path(), options).await?);

    let mut overhead = Vec::new();
    // Enough calls to be timed together, few enough that the machine keeps its pace between two turns.
    for (backend, storage, gets, puts) in [("memory", memory, 1000, 1000), ("local", local, 50, 10)]
    {
        let variants = Variant::all(&storage, input).await?;
        for (operation, calls) in [(Operation::Get, gets), (Operation::Put, puts)] {
            let turns = take_turns(&variants, operation, calls, scale.turns, input).await?;
            overhead.extend(rows(&variants, operation, backend, &turns));
        }
    }
    Ok(overhead)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Get,
    Put,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
        }
    }
}

/// More objects than the small cache holds.
const OBJECTS: usize = 32;

/// The raw storage or a wrapper around it, with objects of its own.
#[derive(Debug)]
struct Variant {
    name: &'static str,
    storage: Arc<dyn Storage>,
    keys: Vec<Key>,
    writes: bool,
}

impl Variant {
    /// The raw storage comes first.
    async fn all(raw: &Arc<dyn Storage>, input: &Input) -> Result<Vec<Self>> {
        let inner = || Arc::clone(raw);
        let everything = || vec![Prefix::all()];
        let (small, large) = (16 * SMALL as u64, 1024 * SMALL as u64);
        let route = RouteStorage::new(inner()).with(Prefix::directory("elsewhere")?, inner())?;
        let timer = Arc::new(TokioTimer::default());
        let clock = Arc::new(SystemClock::default());
        let wrapped: [(&str, Arc<dyn Storage>); 11] = [
            ("raw", inner()),
            (
                "prefix",
                Arc::new(PrefixStorage::new(inner(), Prefix::directory("below")?)),
            ),
            (
                "retry",
                Arc::new(RetryStorage::new(inner(), timer, RetryOptions::default())),
            ),
            ("meter", Arc::new(MeterStorage::new(inner()))),
            (
                "metrics, unheard",
                Arc::new(MetricsStorage::new(
                    inner(),
                    Arc::new(NoMetrics::default()),
                    clock,
                )),
            ),
            ("read-only", Arc::new(ReadOnlyStorage::new(inner()))),
            (
                "probe",
                Arc::new(ProbeStorage::new(inner(), Arc::new(RandomIds::default()))),
            ),
            ("route", Arc::new(route)),
            (
                "cache, all misses",
                Arc::new(CacheStorage::new(inner(), everything(), small)),
            ),
            (
                "cache, all hits",
                Arc::new(CacheStorage::new(inner(), everything(), large)),
            ),
            (ENCRYPT, Arc::new(encrypted(inner())?)),
        ];
        let mut variants = Vec::new();
        for (number, (name, storage)) in wrapped.into_iter().enumerate() {
            variants.push(Self::new(name, number, storage, raw, input).await?);
        }
        Ok(variants)
    }

    async fn new(
        name: &'static str,
        number: usize,
        storage: Arc<dyn Storage>,
        raw: &Arc<dyn Storage>,
        input: &Input,
    ) -> Result<Self> {
        let keys = (0..OBJECTS).map(|object| Key::new(format!("variant/{number}/{object}")));
        let keys: Vec<Key> = keys.collect::<Result<_>>()?;
        let writes = !storage.capabilities().read_only;
        let writer = if writes { &storage } else { raw };
        let puts = keys
            .iter()
            .enumerate()
            .map(|(object, key)| writer.put(key, input.small(object), PutMode::Overwrite));
        try_join_all(puts).await?;
        Ok(Self {
            name,
            storage,
            keys,
            writes,
        })
    }

    fn does(&self, operation: Operation) -> bool {
        operation == Operation::Get || self.writes
    }

    /// Makes so many calls, the first of this number; returns nanoseconds for one.
    async fn turn(
        &self,
        operation: Operation,
        first: usize,
        calls: usize,
        input: &Input,
    ) -> Result<f64> {
        let watch = Stopwatch::start();
        for number in first..first + calls {
            let key = &self.keys[number % OBJECTS];
            match operation {
                Operation::Get => {
                    let found = self.storage.get(key, ByteRange::Full).await?;
                    found.ok_or_else(|| Error::not_found("object", key))?;
                }
                Operation::Put => {
                    let bytes = input.small(number % OBJECTS);
                    let _written = self.storage.put(key, bytes, PutMode::Overwrite).await?;
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let calls = calls as f64;
        Ok(watch.elapsed().as_secs_f64() * 1e9 / calls)
    }
}

/// Nanoseconds of each variant in each turn; none where it does not do the operation.
async fn take_turns(
    variants: &[Variant],
    operation: Operation,
    calls: usize,
    turns: usize,
    input: &Input,
) -> Result<Vec<Vec<f64>>> {
    let mut times = vec![Vec::with_capacity(turns); variants.len()];
    // The first turn is to warm up.
    for turn in 0..=turns {
        for offset in 0..variants.len() {
            let index = (turn + offset) % variants.len();
            if !variants[index].does(operation) {
                continue;
            }
            let time = variants[index]
                .turn(operation, turn * calls, calls, input)
                .await?;
            if turn > 0 {
                times[index].push(time);
            }
        }
    }
    Ok(times)
}

fn rows(
    variants: &[Variant],
    operation: Operation,
    backend: &'static str,
    times: &[Vec<f64>],
) -> Vec<WrapperRow> {
    let raw = &times[0];
    let compare = |(variant, times): (&Variant, &Vec<f64>)| {
        let pairs = || times.iter().zip(raw);
        let differences: Vec<f64> = pairs().map(|(time, raw)| time - raw).collect();
        let ratios: Vec<f64> = pairs()
            .map(|(time, raw)| (time / raw - 1.0) * 100.0)
            .collect();
        Some(WrapperRow {
            wrapper: variant.name,
            backend,
            operation: operation.name(),
            raw_ns: median(raw)?,
            overhead_ns: median(&differences)?,
            overhead_percent: median(&ratios)?,
        })
    };
    variants
        .iter()
        .zip(times)
        .skip(1)
        .filter_map(compare)
        .collect()
}
