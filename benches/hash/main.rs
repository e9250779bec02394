//! Logical digests of tables in memory, beside `arrow-digest` with SHA-256 on the same batches.
//!
//! `starfix`, the other crate that hashes Arrow, is not among them: it brings `uniffi`, whose licence, MPL-2.0, is not
//! one of those in `deny.toml`, and another major version of Arrow.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench hash               every table
//! cargo bench -p mainstay-bench --bench hash -- numbers    one of them
//! ```
//!
//! Everything takes turns in one process, so that the ratios hold also where the machine does not keep
//! its speed. Recorded runs: `results/hash.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a program for people that measures time and stops at the first failure"
)]

mod inputs;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use arrow_digest::{RecordDigest as _, RecordDigestV0};
use mainstay_data::arrow::array::RecordBatch;
use mainstay_data::digest::{Profile, RowsHasher, TableHasher};
use sha2::Sha256;

use self::inputs::{BATCHES, TABLES};

/// How many runs of each hasher.
const RUNS: usize = 9;

/// Row digests cost so much more that a part of the rows tells.
const ROWS_BATCHES: usize = 8;

fn main() {
    let wanted = mainstay_bench::arguments();
    println!("median (least to most) of {RUNS} runs, {BATCHES} batches");
    for (name, build) in TABLES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            compare(name, &build());
        }
    }
}

fn compare(name: &str, batches: &[RecordBatch]) {
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    let mut table_1 = Vec::new();
    let mut table_2 = Vec::new();
    let mut semantic = Vec::new();
    let mut rival = Vec::new();
    let mut rows = Vec::new();
    for _ in 0..RUNS {
        table_1.push(seconds(|| table(batches, Profile::Strict, 1)));
        rival.push(seconds(|| arrow_digest(batches)));
        table_2.push(seconds(|| table(batches, Profile::Strict, 2)));
        semantic.push(seconds(|| table(batches, Profile::Semantic, 1)));
        rows.push(seconds(|| multiset(&batches[..ROWS_BATCHES])));
    }
    let rival = sorted(rival);
    let base = rival[RUNS / 2];
    println!("\n{name}: {} MiB", bytes >> 20);
    for (hasher, times) in [
        ("arrow-digest, SHA-256", rival),
        ("table digest, 1 thread", sorted(table_1)),
        ("table digest, 2 threads", sorted(table_2)),
        ("semantic, 1 thread", sorted(semantic)),
    ] {
        let speed = |time: f64| megabytes(bytes) / time;
        println!(
            "  {hasher:<24} {:>6.0} MB/s ({:.0} to {:.0}), {:.2} x arrow-digest",
            speed(times[RUNS / 2]),
            speed(times[RUNS - 1]),
            speed(times[0]),
            base / times[RUNS / 2],
        );
    }
    let counted: usize = batches[..ROWS_BATCHES]
        .iter()
        .map(RecordBatch::num_rows)
        .sum();
    let rows = sorted(rows);
    println!(
        "  {:<24} {:>6.0} ns a row",
        "rows digest, 1 thread",
        1e9 * rows[RUNS / 2] / real(counted)
    );
}

fn table(batches: &[RecordBatch], profile: Profile, threads: usize) {
    let threads = NonZeroUsize::new(threads).unwrap();
    let mut hasher = TableHasher::parallel(&batches[0].schema(), profile, threads).unwrap();
    for batch in batches {
        hasher.update(batch).unwrap();
    }
    black_box(hasher.finish().unwrap());
}

fn multiset(batches: &[RecordBatch]) {
    let mut hasher = RowsHasher::new(&batches[0].schema(), Profile::Strict).unwrap();
    for batch in batches {
        hasher.add(batch).unwrap();
    }
    black_box(hasher.finish().unwrap());
}

fn arrow_digest(batches: &[RecordBatch]) {
    let mut hasher = RecordDigestV0::<Sha256>::new(&batches[0].schema());
    for batch in batches {
        hasher.update(batch);
    }
    black_box(hasher.finalize());
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn sorted(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}

fn megabytes(bytes: usize) -> f64 {
    real(bytes) / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "to print")]
fn real(number: usize) -> f64 {
    number as f64
}
