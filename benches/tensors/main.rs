//! The tensors of two large versions compared: 1 % of them changed, then all of them, against reading the files.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench tensors            two files of 1,024 MiB
//! cargo bench -p mainstay-bench --bench tensors -- 64      of so many
//! ```
//!
//! Half of the tensors are of `F16`, half of `BF16`; what changed moved in its last two bits. Each comparison is a
//! process of its own, and so is each reading of both files from one end to the other; both begin with nothing
//! in the cache of the kernel where the process may empty it, and say so where it may not.
//!
//! Record runs in `results/registry.md`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a program for people that measures time and stops at the first failure"
)]

#[path = "../ingest/measure.rs"]
#[expect(dead_code, reason = "what only the other benchmark measures")]
mod measure;
mod weights;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use mainstay::registry::{FileSpec, ModelSpec, Registry};
use mainstay::repo::{Repo, RepoOptions};
use mainstay::store::{LocalOptions, LocalStorage};
use mainstay::{Actor, Locator};

use self::measure::{print_usage, text, timed};
use self::weights::{Changed, write};

const MEBIBYTES: u64 = 1_024;
/// How often each is repeated.
const RUNS: usize = 3;
/// What a comparison may take at most.
const BAR_MIB: u64 = 256;

fn main() {
    let arguments = mainstay_bench::arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["store", repo, file, model] => run(store(repo.as_ref(), file.as_ref(), model)),
        ["compare", repo, after] => run(compare(repo.as_ref(), after)),
        ["read", before, after] => read([before, after]),
        [mebibytes] => measure_all(mebibytes.parse().unwrap()),
        [] => measure_all(MEBIBYTES),
        _ => panic!("{arguments:?}"),
    }
}

fn measure_all(mebibytes: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (repo, before) = (
        directory.path().join("repo"),
        directory.path().join("before.safetensors"),
    );
    let stored = |model: &str, file: &Path, changed: Changed| {
        write(file, mebibytes, changed).unwrap();
        let (seconds, ..) = of_self(&["store", text(&repo), text(file), model]);
        println!("{model}: {mebibytes} MiB stored in {seconds:.1} s");
    };
    stored("before", &before, Changed::None);
    for (model, changed) in [("one-percent", Changed::Hundredth), ("all", Changed::All)] {
        let after = directory.path().join("after.safetensors");
        stored(model, &after, changed);
        let reading = fastest(
            "reading both",
            2 * mebibytes,
            &["read", text(&before), text(&after)],
        );
        let comparing = fastest(model, 2 * mebibytes, &["compare", text(&repo), model]);
        println!("{model}: {:.2} of reading both", comparing / reading);
    }
}

/// Runs this program with other arguments; returns the least seconds it took.
fn fastest(what: &str, mebibytes: u64, arguments: &[&str]) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let cache = if forgotten() { "cold" } else { "warm" };
        let (seconds, printed) = of_self(arguments);
        let mut words = printed.split_whitespace();
        let mut number = || words.next().map_or(0, |word| word.parse::<u64>().unwrap());
        let (milliseconds, peak) = (number(), number());
        let (changed, unchanged, read) = (number(), number(), number());
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = mebibytes as f64 / seconds;
        let over = if peak > BAR_MIB { ", over the bar" } else { "" };
        println!(
            "{what}, {cache}: {seconds:.2} s, {rate:.0} MiB/s, CPU {milliseconds} ms, peak RSS {peak} MiB{over}; \
             {changed} changed, {unchanged} unchanged, read {} MiB",
            read >> 20,
        );
        least = least.min(seconds);
    }
    least
}

/// Empties the cache of the kernel, if this process may.
fn forgotten() -> bool {
    measure::run("sync", &[]);
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

fn of_self(arguments: &[&str]) -> (f64, String) {
    let program = std::env::current_exe().unwrap();
    let (elapsed, _others, printed) = timed(text(&program), arguments);
    (elapsed.as_secs_f64(), printed)
}

/// Reads both files from one end to the other.
fn read(files: [&str; 2]) {
    let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
    for file in files {
        let mut file = File::open(file).unwrap();
        loop {
            match file.read(&mut buffer).unwrap() {
                0 => break,
                read => bytes += read,
            }
        }
    }
    print_usage();
    println!("0 0 {bytes}");
}

async fn store(repo: &Path, file: &Path, model: &str) {
    let file = FileSpec::from_disk("model.safetensors".parse().unwrap(), file);
    let actor = Actor::new("bench").unwrap();
    let spec = ModelSpec::new(model.parse().unwrap(), actor, "measure").with_file(file);
    open(repo).await.0.register(spec).await.unwrap();
}

async fn compare(repo: &Path, after: &str) {
    let (models, repo) = open(repo).await;
    let newest = |model: &str| -> Locator { format!("model:{model}@latest").parse().unwrap() };
    let view = repo.view().await.unwrap();
    let (before, after) = (newest("before"), newest(after));
    let diff = models.tensor_diff(&view, &before, &after).await.unwrap();
    print_usage();
    println!(
        "{} {} {}",
        diff.changed.len(),
        diff.unchanged,
        diff.bytes.read
    );
}

async fn open(path: &Path) -> (Registry, Repo) {
    let storage = LocalStorage::open(path, LocalOptions::default());
    let storage = Arc::new(storage.await.unwrap());
    let repo = Repo::create(storage, RepoOptions::default()).await.unwrap();
    (Registry::new(repo.clone()), repo)
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(work);
}
