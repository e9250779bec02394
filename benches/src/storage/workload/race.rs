//! Many create one key; one may win.

use std::sync::Arc;

use mainstay::store::{Key, PutOutcome, Storage, StorageExt as _};
use mainstay::{Error, ErrorKind, Result};
use tokio::task::JoinSet;

use super::Job;
use crate::storage::metric::{Measured, Metric, Unit};
use crate::storage::timing::Latencies;

pub(super) async fn run(job: &Job<'_>) -> Result<Vec<Measured>> {
    let racers = job.scale.writers;
    let mut latencies = Latencies::new()?;
    for number in 0..job.scale.races {
        let key = job.place.key(number)?;
        let winners = latencies.time(race(job.place.raw(), &key, racers)).await?;
        if winners != 1 {
            let message = "of those who create a key at the same time one must win";
            return Err(Error::new(ErrorKind::Unsupported, message).context("winners", winners));
        }
    }
    let metric = |name, share| {
        let title = format!("race of {racers} to create a key, {share}");
        Metric::new(name, title, Unit::Microseconds)
    };
    Ok(vec![
        latencies.quantile(metric("race_p50", "p50"), 0.5),
        latencies.quantile(metric("race_p99", "p99"), 0.99),
    ])
}

/// Returns how many won.
async fn race(storage: &Arc<dyn Storage>, key: &Key, racers: usize) -> Result<usize> {
    let mut race = JoinSet::new();
    for racer in 0..racers {
        let (storage, key) = (Arc::clone(storage), key.clone());
        race.spawn(async move { storage.create(&key, racer.to_string().into()).await });
    }
    let outcomes: Result<Vec<PutOutcome>> = race.join_all().await.into_iter().collect();
    let won = |outcome: &PutOutcome| *outcome == PutOutcome::Written;
    Ok(outcomes?.into_iter().filter(won).count())
}
