//! Objects of 4 KiB, one after another.

use std::time::Duration;

use mainstay::store::{ByteRange, Key, PutMode, PutOutcome};
use mainstay::{Error, ErrorKind, Result};

use super::Job;
use crate::storage::metric::{Measured, Metric, Unit};
use crate::storage::timing::{Latencies, Stopwatch};

/// How long reads go on: enough of them to tell, and an end also where each crosses an ocean.
const LONGEST: Duration = Duration::from_secs(3);

pub(super) async fn run(job: &Job<'_>) -> Result<Vec<Measured>> {
    let keys = (0..job.scale.objects).map(|number| job.place.key(number));
    let keys: Vec<Key> = keys.collect::<Result<_>>()?;
    let (puts, put_time) = put_all(job, &keys).await?;

    let order = job.input.order(job.scale.reads, keys.len());
    let (reads, get_time) = get_some(job, &keys, &order).await?;
    // Not at the same time: looking at the clock takes as long as a read from memory.
    let mut gets = Latencies::new()?;
    for number in &order[..reads] {
        gets.time(get(job, &keys[*number])).await?;
    }

    let rate = |name, title| Metric::new(name, title, Unit::PerSecond);
    let time = |name, title| Metric::new(name, title, Unit::Microseconds);
    Ok(vec![
        rate("put_4k", "put of 4 KiB, one caller").rate(keys.len(), put_time),
        rate("get_4k", "get of 4 KiB, one caller").rate(reads, get_time),
        puts.quantile(time("put_4k_p50", "put of 4 KiB, p50"), 0.5),
        puts.quantile(time("put_4k_p99", "put of 4 KiB, p99"), 0.99),
        gets.quantile(time("get_4k_p50", "get of 4 KiB, p50"), 0.5),
        gets.quantile(time("get_4k_p99", "get of 4 KiB, p99"), 0.99),
    ])
}

async fn put_all(job: &Job<'_>, keys: &[Key]) -> Result<(Latencies, Duration)> {
    let mut latencies = Latencies::new()?;
    let watch = Stopwatch::start();
    for (number, key) in keys.iter().enumerate() {
        let put = job
            .place
            .raw()
            .put(key, job.input.small(number), PutMode::Create);
        if latencies.time(put).await? == PutOutcome::Exists {
            return Err(
                Error::new(ErrorKind::AlreadyExists, "a fresh key is taken").context("key", key)
            );
        }
    }
    Ok((latencies, watch.elapsed()))
}

/// Returns how many were read, in which time.
async fn get_some(job: &Job<'_>, keys: &[Key], order: &[usize]) -> Result<(usize, Duration)> {
    let mut reads = 0;
    let watch = Stopwatch::start();
    for some in order.chunks(100) {
        for number in some {
            get(job, &keys[*number]).await?;
        }
        reads += some.len();
        if watch.elapsed() > LONGEST {
            break;
        }
    }
    Ok((reads, watch.elapsed()))
}

async fn get(job: &Job<'_>, key: &Key) -> Result<()> {
    match job.place.raw().get(key, ByteRange::Full).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found("object", key)),
    }
}
