//! A snapshot of a large Parquet file, beside `openssl` hashing the same file.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench snapshot               5,000,000 rows of 12 columns
//! cargo bench -p mainstay-bench --bench snapshot -- 200000     so many rows
//! ```
//!
//! Every program is a process of its own; they take turns, so that the ratios hold also where the machine
//! does not keep its speed. Rounds go on until enough runs of each were left alone by other processes.
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
mod tables;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mainstay_core::Actor;
use mainstay_data::{Datasets, SnapshotSpec};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{LocalOptions, LocalStorage};

use self::measure::{Measure, Row, UNDISTURBED, print_usage, text, timed, timed_self};
use self::tables::Version;

const ROWS: u64 = 5_000_000;
const MAX_ROUNDS: usize = 20;
/// Rounds of a table that is too small for its times to tell anything.
const SMALL_ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments = arguments.iter().map(String::as_str);
    let arguments: Vec<&str> = arguments
        .filter(|argument| *argument != "--bench")
        .collect();
    match arguments[..] {
        ["snapshot", repo, file] => snapshot(repo.as_ref(), file.as_ref()),
        [rows] => compare(rows.parse().unwrap(), SMALL_ROUNDS),
        [] => compare(ROWS, MAX_ROUNDS),
        _ => panic!("{arguments:?}"),
    }
}

fn compare(rows: u64, rounds: usize) {
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
    for _ in 0..rounds {
        let [hashed, first, again] = &mut measured;
        hashed.add(Measure::of_rival(timed(
            "openssl",
            &["dgst", "-sha256", text(&file)],
        )));
        for row in [first, again] {
            row.add(timed_self(&["snapshot", text(&repo), text(&file)]));
        }
        fs::remove_dir_all(&repo).unwrap();
        if measured.iter().all(|row| row.disturbance() < UNDISTURBED) {
            break;
        }
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
        let storage = LocalStorage::open(repo, LocalOptions::default());
        let storage = Arc::new(storage.await.unwrap());
        let repo = Repo::create(storage, RepoOptions::default()).await.unwrap();
        let actor = Actor::new("bench").unwrap();
        let spec = SnapshotSpec::new("table".parse().unwrap(), actor, "measure").with_path(file);
        Datasets::new(repo).snapshot(spec).await.unwrap();
    });
    print_usage();
}
