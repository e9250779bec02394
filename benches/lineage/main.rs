//! Walking a large lineage, and asking what changed in a long log.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench lineage                 1,000,000 edges, in memory
//! cargo bench -p mainstay-bench --bench lineage -- local        on a local directory that syncs
//! cargo bench -p mainstay-bench --bench lineage -- 50000        with so many
//! ```
//!
//! Record runs in `results/lineage.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a program for people that measures time and stops at the first failure"
)]

mod company;
mod incident;
mod walks;

use std::path::Path;
use std::sync::Arc;

use mainstay::store::{Durability, LocalOptions, LocalStorage, MemoryStorage, Storage};

const EDGES: u64 = 1_000_000;
const RUNS: usize = 101;

fn main() {
    let mut arguments = mainstay_bench::arguments();
    let is_local = arguments.iter().any(|argument| argument == "local");
    arguments.retain(|argument| argument != "local");
    let edges = arguments
        .first()
        .map_or(EDGES, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    runtime.block_on(async {
        let storage = opened(is_local, &scratch.path().join("company")).await;
        walks::measure(storage, edges).await;
        // One at a time, each of which a directory makes durable.
        let between: &[u64] = if is_local {
            &[10_000]
        } else {
            &[10_000, 100_000]
        };
        for entries in between {
            let directory = scratch.path().join(entries.to_string());
            incident::measure(opened(is_local, &directory).await, *entries).await;
        }
    });
}

async fn opened(is_local: bool, directory: &Path) -> Arc<dyn Storage> {
    if is_local {
        let options = LocalOptions::default().with_durability(Durability::Strict);
        Arc::new(LocalStorage::open(directory, options).await.unwrap())
    } else {
        Arc::new(MemoryStorage::new())
    }
}

fn print(what: &str, times: &mut [f64], more: &str) {
    times.sort_unstable_by(f64::total_cmp);
    println!(
        "  {what}: {:.3} ms ({:.3} to {:.3}){more}",
        times[times.len() / 2],
        times[0],
        times[times.len() - 1]
    );
}
