//! Commits to a repository: by one writer, by many who share a handle, by many who do not.

use std::time::Duration;

use futures::future::try_join_all;
use mainstay::repo::{CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value};
use mainstay::{Actor, Error, ErrorKind, RefPath, Result};
use serde_json::json;
use tokio::task::JoinSet;

use super::Job;
use crate::storage::metric::{Measured, Metric, Unit};
use crate::storage::timing::Stopwatch;

pub(super) async fn run(job: &Job<'_>) -> Result<Vec<Measured>> {
    let storage = || job.place.storage();
    let repo = Repo::create(storage()?, RepoOptions::default()).await?;
    let writers = job.scale.writers;
    let shared = vec![repo.clone(); writers];
    let opened = (0..writers).map(async |_| Repo::open(storage()?, RepoOptions::default()).await);
    let apart = try_join_all(opened).await?;

    let (alone, each) = (job.scale.commits_alone, job.scale.commits_each);
    let metric =
        |name, who: String| Metric::new(name, format!("commits of {who}"), Unit::PerSecond);
    Ok(vec![
        metric("commit", "1 writer".into()).rate(alone, all(vec![repo], alone).await?),
        metric("commit_shared", format!("{writers} writers, one process"))
            .rate(writers * each, all(shared, each).await?),
        metric(
            "commit_apart",
            format!("{writers} writers, as {writers} processes"),
        )
        .rate(writers * each, all(apart, each).await?),
    ])
}

/// Lets each handle make so many commits to a ref of its own, all at the same time.
async fn all(handles: Vec<Repo>, commits: usize) -> Result<Duration> {
    let watch = Stopwatch::start();
    let mut writers = JoinSet::new();
    for (writer, repo) in handles.into_iter().enumerate() {
        writers.spawn(async move {
            for number in 0..commits {
                commit(&repo, writer, number).await?;
            }
            Ok(())
        });
    }
    let done: Result<()> = writers.join_all().await.into_iter().collect();
    done.map(|()| watch.elapsed())
}

async fn commit(repo: &Repo, writer: usize, number: usize) -> Result<()> {
    let path: RefPath = format!("bench/{writer}").parse()?;
    let value = Value::new("bench.commit", &json!({ "number": number }))?;
    let mut transaction = Transaction::new(Actor::new("mainstay-bench")?, "measured");
    transaction.set(path, value, Expectation::Any);
    match repo.commit(transaction).await? {
        CommitOutcome::Committed(_) => Ok(()),
        CommitOutcome::Conflict(_) => Err(Error::new(
            ErrorKind::Internal,
            "a commit that expects nothing met a conflict",
        )),
    }
}
