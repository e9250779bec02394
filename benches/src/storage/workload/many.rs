//! Many small things that become durable together.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay::repo::{CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value};
use mainstay::store::PutMode;
use mainstay::{Actor, Error, ErrorKind, Result};
use serde_json::json;

use super::Job;
use crate::storage::metric::{Measured, Metric, Unit};
use crate::storage::place::AT_ONCE;
use crate::storage::timing::Stopwatch;

pub(super) async fn run(job: &Job<'_>) -> Result<Vec<Measured>> {
    let count = job.scale.at_once;
    let watch = Stopwatch::start();
    put_objects(job).await?;
    let objects = watch.elapsed();

    let storage = job.place.part("repo").storage()?;
    let repo = Repo::create(storage, RepoOptions::default()).await?;
    let watch = Stopwatch::start();
    commit_blobs(job, &repo).await?;
    let blobs = watch.elapsed();

    let metric = |name, title| Metric::new(name, title, Unit::Milliseconds);
    Ok(vec![
        metric(
            "put_many",
            format!("put of {count} objects of 4 KiB, {AT_ONCE} at once"),
        )
        .took(objects),
        metric("commit_blobs", format!("commit of {count} blobs of 4 KiB")).took(blobs),
    ])
}

async fn put_objects(job: &Job<'_>) -> Result<()> {
    stream::iter(0..job.scale.at_once)
        .map(async |number| {
            let key = job.place.key(format_args!("object/{number}"))?;
            let put = job
                .place
                .raw()
                .put(&key, job.input.small(number), PutMode::Create);
            put.await.map(drop)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Stores blobs and names all of them by one ref.
async fn commit_blobs(job: &Job<'_>, repo: &Repo) -> Result<()> {
    let mut ingest = repo.ingest();
    let mut digests = Vec::with_capacity(job.scale.at_once);
    for number in 0..job.scale.at_once {
        digests.push(ingest.bytes(job.input.small(number)).await?.digest);
    }
    ingest.finish().await?;
    let value = Value::new("bench.blobs", &json!({}))?.with_blobs(digests);
    let mut transaction = Transaction::new(Actor::new("mainstay-bench")?, "measured");
    transaction.set("bench/blobs".parse()?, value, Expectation::Absent);
    match repo.commit(transaction).await? {
        CommitOutcome::Committed(_) => Ok(()),
        CommitOutcome::Conflict(_) => Err(Error::new(
            ErrorKind::Internal,
            "a fresh repository is not empty",
        )),
    }
}
