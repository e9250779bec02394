//! Commits, opening, looking up and scanning, on memory and on a local directory that syncs.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench commit               with a log of 100,000 entries
//! cargo bench -p mainstay-bench --bench commit -- million    and with one of 1,000,000: minutes and 5 GB
//! ```
//!
//! Record runs in `results/commit.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for people that measures time and stops at the first failure"
)]

mod fill;
mod reading;
mod writing;

use std::path::Path;
use std::sync::Arc;

use mainstay_store::{Durability, LocalOptions, LocalStorage, Storage};

const ENTRIES: u64 = 100_000;
const MANY_ENTRIES: u64 = 1_000_000;

fn main() {
    let arguments = mainstay_bench::arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let sizes: &[u64] = match arguments[..] {
        [] => &[ENTRIES],
        ["million"] => &[ENTRIES, MANY_ENTRIES],
        _ => panic!("{arguments:?}"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        writing::measure().await;
        for entries in sizes {
            reading::measure(*entries).await;
        }
    });
}

/// A directory, opened as a process would.
async fn local(path: &Path, durability: Durability) -> Arc<dyn Storage> {
    let options = LocalOptions::default().with_durability(durability);
    Arc::new(LocalStorage::open(path, options).await.unwrap())
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}
