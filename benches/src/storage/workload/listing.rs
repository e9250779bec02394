//! A listing of many keys.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay::store::PutMode;
use mainstay::{Error, ErrorKind, Result};

use super::Job;
use crate::storage::input::Input;
use crate::storage::metric::{Measured, Metric, Unit};
use crate::storage::place::{AT_ONCE, Place};
use crate::storage::scale::Scale;
use crate::storage::timing::Stopwatch;

pub(super) async fn prepare(place: &Place, scale: &Scale, input: &Input) -> Result<()> {
    stream::iter(0..scale.listed)
        .map(async |number| {
            let key = place.key(format_args!("{number:06}"))?;
            let bytes = input.small(number).slice(..16);
            place
                .raw()
                .put(&key, bytes, PutMode::Create)
                .await
                .map(drop)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

pub(super) async fn run(job: &Job<'_>) -> Result<Vec<Measured>> {
    let watch = Stopwatch::start();
    let listing = job.prepared.raw().list(&job.prepared.prefix()?, None);
    let listed = listing.try_fold(0, async |count, _| Ok(count + 1)).await?;
    let elapsed = watch.elapsed();
    if listed != job.scale.listed {
        let message = "a listing is not complete";
        return Err(Error::new(ErrorKind::Corrupt, message)
            .context("listed", listed)
            .context("written", job.scale.listed));
    }
    let metric = Metric::new("list", format!("list {listed} keys"), Unit::Milliseconds);
    Ok(vec![metric.took(elapsed)])
}
