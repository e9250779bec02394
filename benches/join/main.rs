//! A table that several workers store in parts and one joins, beside one process that stores it all.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench join              4 workers, 5,000,000 rows of 12 columns
//! cargo bench -p mainstay-bench --bench join -- 200000    so many rows
//! ```
//!
//! Each worker is a process, and all of them work at once: on one machine they share its processors, so that
//! what tells is how much work the parts and the join are, against that of a snapshot. The version that is
//! joined is checked to be the one that the snapshot made.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for people that measures time and stops at the first failure"
)]

#[path = "../ingest/measure.rs"]
#[expect(dead_code, reason = "what only the other benchmark measures")]
mod measure;
#[path = "../snapshot/tables.rs"]
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use mainstay_core::Actor;
use mainstay_data::{Datasets, PartSpec, SnapshotPart, SnapshotReport, SnapshotSpec};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{LocalOptions, LocalStorage};

use self::measure::{Measure, Row, print_usage, text, timed_self};
use self::tables::Version;

const ROWS: u64 = 5_000_000;
const WORKERS: u64 = 4;
/// How often each is repeated.
const ROUNDS: usize = 3;

fn main() {
    let arguments = mainstay_bench::arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["snapshot", repo, files] => worker(repo, async |datasets, repo| {
            let spec = spec("whole").with_path(files);
            note(repo, &datasets.snapshot(spec).await.unwrap());
        }),
        ["part", repo, file, part] => worker(repo, async |datasets, _| {
            let part_of = PartSpec::new().with_path(file);
            let stored = datasets.store_part(part_of).await.unwrap();
            fs::write(part, stored.to_bytes().unwrap()).unwrap();
        }),
        ["join", repo, ref parts @ ..] => worker(repo, async |datasets, repo| {
            let read = |part: &&str| SnapshotPart::from_slice(&fs::read(part).unwrap()).unwrap();
            let parts: Vec<SnapshotPart> = parts.iter().map(read).collect();
            note(repo, &datasets.join(spec("joined"), &parts).await.unwrap());
        }),
        [rows] => measure_all(rows.parse().unwrap()),
        [] => measure_all(ROWS),
        _ => panic!("{arguments:?}"),
    }
}

fn measure_all(rows: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let files = directory.path().join("files");
    fs::create_dir(&files).unwrap();
    let mut workers = Vec::new();
    for worker in 0..WORKERS {
        let ids = rows * worker / WORKERS..rows * (worker + 1) / WORKERS;
        let file = files.join(format!("{worker}.parquet"));
        let part = Version {
            ids: std::iter::once(ids).collect(),
            ..Version::first(rows)
        };
        part.write(&file);
        let part = directory.path().join(format!("{worker}.part"));
        workers.push((file, part));
    }
    println!("{rows} rows of 12 columns in {WORKERS} files, median of {ROUNDS} rounds");
    let [mut whole, mut joined] = ["snapshot", "join"].map(Row::new);
    let mut storing = Vec::new();
    for _ in 0..ROUNDS {
        let [alone, together] = ["alone", "together"].map(|name| directory.path().join(name));
        whole.add(timed_self(&["snapshot", text(&alone), text(&files)]));
        storing.push(store_parts(&together, &workers));
        let mut arguments = vec!["join", text(&together)];
        arguments.extend(workers.iter().map(|(_, part)| text(part)));
        joined.add(timed_self(&arguments));
        assert_eq!(
            noted(&alone),
            noted(&together),
            "the joined version is another"
        );
        fs::remove_dir_all(&alone).unwrap();
        fs::remove_dir_all(&together).unwrap();
    }
    storing.sort_unstable_by(f64::total_cmp);
    let storing = storing[ROUNDS / 2];
    let alone = whole.median(Measure::seconds);
    print!("one process stores all:");
    whole.middle().print();
    println!("{WORKERS} workers store parts:");
    println!("  {storing:.2} s until the last is done");
    print!("one joins them:");
    joined.middle().print();
    let together = storing + joined.median(Measure::seconds);
    println!(
        "parts and join: {together:.2} s, {:.2} x one process",
        together / alone
    );
}

/// Lets all workers store their parts at once; returns after how many seconds the last was done.
fn store_parts(repo: &Path, workers: &[(PathBuf, PathBuf)]) -> f64 {
    // Whoever comes first would make it.
    drop(runtime().block_on(open(repo)));
    let start = Instant::now();
    let program = std::env::current_exe().unwrap();
    let begin = |(file, part): &(PathBuf, PathBuf)| {
        let mut worker = Command::new(&program);
        let worker = worker.args(["part", text(repo), text(file), text(part)]);
        worker.stdout(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = workers.iter().map(begin).collect();
    for mut worker in running {
        assert!(worker.wait().unwrap().success());
    }
    start.elapsed().as_secs_f64()
}

/// Does the work of a process, and prints what that took.
fn worker(repo: &str, work: impl AsyncFnOnce(Datasets, &Path)) {
    let repo = Path::new(repo);
    runtime().block_on(async { work(open(repo).await, repo).await });
    print_usage();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().build().unwrap()
}

async fn open(path: &Path) -> Datasets {
    let is_new = !path.exists();
    let storage = LocalStorage::open(path, LocalOptions::default());
    let storage = Arc::new(storage.await.unwrap());
    let options = RepoOptions::default();
    let repo = if is_new {
        Repo::create(storage, options).await
    } else {
        Repo::open(storage, options).await
    };
    Datasets::new(repo.unwrap())
}

fn spec(dataset: &str) -> SnapshotSpec {
    let actor = Actor::new("bench").unwrap();
    SnapshotSpec::new(dataset.parse().unwrap(), actor, "measure")
}

/// Writes down what a version holds, beside the repository.
fn note(repo: &Path, report: &SnapshotReport) {
    fs::write(repo.with_extension("digest"), report.snapshot.to_string()).unwrap();
}

fn noted(repo: &Path) -> String {
    fs::read_to_string(repo.with_extension("digest")).unwrap()
}
