//! What a team does: register versions of a model, snapshot a dataset, ask for versions.

use std::fmt::Write as _;
use std::time::Duration;

use mainstay::data::SnapshotSpec;
use mainstay::registry::{FileSpec, ModelSpec};
use mainstay::repo::RepoOptions;
use mainstay::{Actor, Error, ErrorKind, Locator, Result, Workspace};

use super::Job;
use crate::storage::metric::{Measured, Metric, Unit};
use crate::storage::timing::Stopwatch;

pub(super) async fn run(job: &Job<'_>) -> Result<Vec<Measured>> {
    let storage = || job.place.storage();
    let versions = job.scale.versions;
    let workspace = Workspace::create_on(storage()?, RepoOptions::default()).await?;
    let (models, register) = register(job, &workspace).await?;
    let snapshot = snapshot(job, &workspace).await?;

    let order = job.input.order(versions, versions);
    let watch = Stopwatch::start();
    for number in order {
        workspace.resolve(&models[number]).await?;
    }
    let resolve = watch.elapsed();

    let watch = Stopwatch::start();
    let reopened = Workspace::open_on(storage()?, RepoOptions::default()).await?;
    reopened.resolve(&models[0]).await?;
    let open = watch.elapsed();

    let rate = |name, title: String| Metric::new(name, title, Unit::PerSecond);
    let time = |name, title: String| Metric::new(name, title, Unit::Milliseconds);
    Ok(vec![
        rate("register", format!("register {versions} model versions")).rate(versions, register),
        rate("resolve", format!("resolve {versions} model versions")).rate(versions, resolve),
        time(
            "snapshot",
            format!("snapshot a CSV of {} rows", job.scale.rows),
        )
        .took(snapshot),
        time("open", "open the workspace and resolve one version".into()).took(open),
    ])
}

/// Registers versions of one model, each with a file of 4 KiB; returns how to ask for them.
async fn register(job: &Job<'_>, workspace: &Workspace) -> Result<(Vec<Locator>, Duration)> {
    let models = workspace.models();
    let mut registered = Vec::with_capacity(job.scale.versions);
    let watch = Stopwatch::start();
    for number in 0..job.scale.versions {
        let weights = FileSpec::from_bytes("weights.bin".parse()?, job.input.small(number));
        let spec = ModelSpec::new("bench".parse()?, actor()?, "measured")
            .with_file(weights)
            .with_parameter("number", number)
            .with_metric("accuracy", 0.9);
        registered.push(models.register(spec).await?.node);
    }
    let elapsed = watch.elapsed();
    let locators = registered.iter().map(|node| node.to_string().parse());
    Ok((locators.collect::<Result<_>>()?, elapsed))
}

async fn snapshot(job: &Job<'_>, workspace: &Workspace) -> Result<Duration> {
    let failed = |cause: std::io::Error| {
        Error::new(ErrorKind::Unavailable, "cannot write the dataset").with_source(cause)
    };
    let directory = tempfile::tempdir().map_err(failed)?;
    let path = directory.path().join("rows.csv");
    let mut csv = String::from("id,group,mass\n");
    for (row, mass) in job
        .input
        .order(job.scale.rows, job.scale.rows)
        .into_iter()
        .enumerate()
    {
        // Writing to a string cannot fail.
        let _ = writeln!(csv, "{row},group-{},{mass}.5", row % 7);
    }
    std::fs::write(&path, csv).map_err(failed)?;
    let spec = SnapshotSpec::new("bench".parse()?, actor()?, "measured").with_path(path);
    let watch = Stopwatch::start();
    workspace.data().snapshot(spec).await?;
    Ok(watch.elapsed())
}

fn actor() -> Result<Actor> {
    Actor::new("mainstay-bench")
}
