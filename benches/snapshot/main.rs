//! A snapshot of a large Parquet file, beside `openssl` hashing the same file; and what versions of such a
//! table store, over what they add to it.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench snapshot                     both, of 5,000,000 rows of 12 columns
//! cargo bench -p mainstay-bench --bench snapshot -- 200000           so many rows
//! cargo bench -p mainstay-bench --bench snapshot -- time             one of both
//! cargo bench -p mainstay-bench --bench snapshot -- storage 1000000
//! cargo bench -p mainstay-bench --bench snapshot -- wide             12,000 rows of 256 KiB each
//! ```
//!
//! What is timed is a process of its own; the programs take turns, so that the ratios hold also where the
//! machine does not keep its speed.
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
mod shares;
mod tables;
mod wide;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mainstay_core::Actor;
use mainstay_data::{Datasets, SnapshotSpec};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{LocalOptions, LocalStorage};

use self::measure::{Measure, Row, print_usage, text, timed, timed_self};
use self::tables::Version;

const ROWS: u64 = 5_000_000;
/// How often each program runs.
const ROUNDS: usize = 3;

fn main() {
    let arguments = mainstay_bench::arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["snapshot", repo, file] => snapshot(repo.as_ref(), file.as_ref()),
        ["wide-step", step, repo, file] => wide::step(step, repo.as_ref(), file.as_ref()),
        ["time", ref rest @ ..] => time(rows_of(rest, ROWS)),
        ["storage", ref rest @ ..] => shares::measure(rows_of(rest, ROWS)),
        ["wide", ref rest @ ..] => wide::measure(rows_of(rest, wide::ROWS)),
        ref rest => {
            time(rows_of(rest, ROWS));
            shares::measure(rows_of(rest, ROWS));
        }
    }
}

fn rows_of(arguments: &[&str], default: u64) -> u64 {
    match arguments {
        [] => default,
        [rows] => rows.parse().unwrap(),
        _ => panic!("{arguments:?}"),
    }
}

fn time(rows: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (file, repo) = (
        directory.path().join("table.parquet"),
        directory.path().join("repo"),
    );
    Version::first(rows).write(&file);
    let bytes = fs::metadata(&file).unwrap().len();
    println!("{rows} rows of 12 columns in {bytes} bytes");

    let names = [
        "openssl dgst -sha256",
        "snapshot, durable",
        "snapshot again",
    ];
    let mut measured = names.map(Row::new);
    for _ in 0..ROUNDS {
        let [hashed, first, again] = &mut measured;
        hashed.add(Measure::of_rival(timed(
            "openssl",
            &["dgst", "-sha256", text(&file)],
        )));
        for row in [first, again] {
            row.add(timed_self(&["snapshot", text(&repo), text(&file)]));
        }
        fs::remove_dir_all(&repo).unwrap();
    }
    let hashing = measured[0].median(Measure::seconds);
    for (name, row) in names.iter().zip(&measured) {
        print!(
            "{name}, {:.2} x openssl:",
            row.median(Measure::seconds) / hashing
        );
        row.middle().print();
    }
}

fn snapshot(repo: &Path, file: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let actor = Actor::new("bench").unwrap();
        let spec = SnapshotSpec::new("table".parse().unwrap(), actor, "measure").with_path(file);
        open(repo).await.snapshot(spec).await.unwrap();
    });
    print_usage();
}

async fn open(path: &Path) -> Datasets {
    let storage = LocalStorage::open(path, LocalOptions::default());
    let storage = Arc::new(storage.await.unwrap());
    let repo = Repo::create(storage, RepoOptions::default());
    Datasets::new(repo.await.unwrap())
}
