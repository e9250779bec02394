//! Rows of two large versions compared by key, where 1 % of them differ.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench diff               5,000,000 rows of 12 columns
//! cargo bench -p mainstay-bench --bench diff -- 200000     so many rows
//! ```
//!
//! The rows that differ are, in turn, at the end, in the middle, changed one after the other, and changed
//! everywhere, where no page stays as it was; the files are stored as they are, then rewritten by our profile,
//! then as patches where that is smaller.
//! Each comparison is a process of its own.
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

use std::path::Path;
use std::sync::Arc;

use mainstay_core::Actor;
use mainstay_data::diff::{CompareOptions, CompareRows};
use mainstay_data::rows::Identity;
use mainstay_data::{Datasets, FileLayout, Patches, SnapshotSpec};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::{LocalOptions, LocalStorage};

use self::measure::{print_usage, text, timed};
use self::tables::Version;

const ROWS: u64 = 5_000_000;
/// How often each comparison is repeated.
const RUNS: usize = 3;

const LAYOUTS: [(&str, FileLayout, Patches); 3] = [
    ("verbatim", FileLayout::Verbatim, Patches::Never),
    ("canonical", FileLayout::Canonical, Patches::Never),
    ("patched", FileLayout::Canonical, Patches::WhereSmaller),
];

fn main() {
    let arguments = mainstay_bench::arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["store", repo, file, dataset, layout] => {
            let (_, layout, patches) = LAYOUTS
                .into_iter()
                .find(|(name, ..)| *name == layout)
                .unwrap();
            run(store(
                repo.as_ref(),
                file.as_ref(),
                dataset,
                (layout, patches),
            ));
        }
        ["compare", repo, dataset] => run(compare(repo.as_ref(), dataset)),
        [rows] => measure_both(rows.parse().unwrap()),
        [] => measure_both(ROWS),
        _ => panic!("{arguments:?}"),
    }
}

/// Versions of which 1 % of the rows are others than those of the first one.
fn versions(rows: u64) -> [(&'static str, Version); 4] {
    let (more, middle) = (rows..rows + rows / 100, rows / 2);
    let with_ids = |ids| Version {
        ids,
        ..Version::first(rows)
    };
    let repriced = |repriced| Version {
        repriced,
        ..Version::first(rows)
    };
    [
        ("append", with_ids(vec![0..rows, more.clone()])),
        ("insert", with_ids(vec![0..middle, more, middle..rows])),
        (
            "range",
            repriced(|rows, id| (rows / 2..rows / 2 + rows / 100).contains(&id)),
        ),
        ("scatter", repriced(|_, id| id % 100 == 0)),
    ]
}

fn measure_both(rows: u64) {
    for (layout, ..) in LAYOUTS {
        measure(rows, layout);
    }
}

fn measure(rows: u64, layout: &str) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let repo = directory.path().join("repo");
    let stored = |name: &str, version: &Version| {
        let file = directory.path().join("table.parquet");
        version.write(&file);
        let (_, bytes) = of_self(&["store", text(&repo), text(&file), name, layout]);
        bytes.trim().parse::<u64>().unwrap()
    };
    for (name, version) in versions(rows) {
        let bytes = stored(name, &Version::first(rows));
        println!("{layout}: {rows} rows of 12 columns in {bytes} bytes");
        let both = bytes + stored(name, &version);
        for _ in 0..RUNS {
            let (seconds, printed) = of_self(&["compare", text(&repo), name]);
            let numbers = printed.split_whitespace().map(|word| word.parse().unwrap());
            let numbers: Vec<u64> = numbers.collect();
            let [milliseconds, mebibytes, added, removed, changed, read] = numbers[..] else {
                panic!("{printed}");
            };
            println!(
                "{layout}, {name}: {seconds:.2} s, CPU {milliseconds} ms, peak RSS {mebibytes} MiB; \
                 {added} added, {removed} removed, {changed} changed; read {read} bytes, {}",
                percent(read, both),
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn percent(read: u64, both: u64) -> String {
    format!("{:.2} % of both files", read as f64 / both as f64 * 100.0)
}

fn of_self(arguments: &[&str]) -> (f64, String) {
    let program = std::env::current_exe().unwrap();
    let (elapsed, _others, printed) = timed(text(&program), arguments);
    (elapsed.as_secs_f64(), printed)
}

async fn store(repo: &Path, file: &Path, dataset: &str, (layout, patches): (FileLayout, Patches)) {
    let actor = Actor::new("bench").unwrap();
    let spec = SnapshotSpec::new(dataset.parse().unwrap(), actor, "measure")
        .with_path(file)
        .with_layout(layout)
        .with_patches(patches);
    let stored = open(repo).await.snapshot(spec).await.unwrap();
    println!("{}", stored.files[0].bytes);
}

async fn compare(repo: &Path, dataset: &str) {
    let datasets = open(repo).await;
    let version = |number: u64| format!("{dataset}@{number}").parse().unwrap();
    let before = datasets.resolve(&version(1)).await.unwrap();
    let after = datasets.resolve(&version(2)).await.unwrap();
    let rows = CompareRows::new(Identity::key(["id"]));
    let options = CompareOptions::default().with_rows(rows);
    let diff = datasets.compare_with(&before, &after, &options);
    let diff = diff.await.unwrap();
    let rows = diff.rows.compared.unwrap();
    print_usage();
    println!(
        "{} {} {} {}",
        rows.added, rows.removed, rows.changed, diff.bytes_read
    );
}

async fn open(path: &Path) -> Datasets {
    let storage = LocalStorage::open(path, LocalOptions::default());
    let storage = Arc::new(storage.await.unwrap());
    let repo = Repo::create(storage, RepoOptions::default());
    Datasets::new(repo.await.unwrap())
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(work);
}
