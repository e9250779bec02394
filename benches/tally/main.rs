//! What counting costs, beside the least that could do it, and what reading many replicas costs.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench tally
//! ```
//!
//! Programs take turns, so that the ratios hold also where the machine does not keep its speed; of
//! each the least of all rounds is shown, which is the one that others disturbed the least.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a program for people that measures time and stops at the first failure"
)]

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mainstay_core::Actor;
use mainstay_repo::{Accuracy, Repo, RepoOptions, Scale, Tally, TallyName, Totals};
use mainstay_store::MemoryStorage;

const ROUNDS: u32 = 20;
const EVENTS: u32 = 1_000_000;
const REPLICAS: usize = 64;
const ARMS: usize = 16;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let repo = runtime.block_on(create());
    for threads in [1, 2] {
        println!("{threads} threads, nanoseconds an event of {EVENTS}, least of {ROUNDS}");
        counting(&repo, threads);
    }
    println!("{REPLICAS} replicas, {ARMS} arms of a count, a sum and a sketch, microseconds");
    runtime.block_on(merging(&repo));
}

async fn create() -> Repo {
    let storage = Arc::new(MemoryStorage::new());
    Repo::create(storage, RepoOptions::default()).await.unwrap()
}

fn name(text: &str) -> TallyName {
    text.parse().unwrap()
}

fn tally(repo: &Repo, subject: &str) -> Tally {
    repo.tally(&name(subject), Actor::new("bench").unwrap())
        .unwrap()
}

/// Each row is a way to count that all threads run at once.
fn counting(repo: &Repo, threads: usize) {
    let tally = tally(repo, "bench/counting");
    let counter = tally.counter(&name("count")).unwrap();
    let sum = tally.accumulator(&name("sum"), Scale::BITS_32).unwrap();
    let sketch = tally
        .histogram(&name("sketch"), Accuracy::ONE_PERCENT)
        .unwrap();
    let (atomic, locked) = (AtomicU64::new(0), Mutex::new(0_u64));
    let hdr = Mutex::new(Histogram::<u64>::new_with_bounds(1, 1 << 30, 2).unwrap());
    let value = |n: u32| f64::from(n % 10_000 + 1);
    let rows: [(&str, &(dyn Fn(u32) + Sync)); 7] = [
        ("AtomicU64::fetch_add", &|_| {
            atomic.fetch_add(1, Ordering::Relaxed);
        }),
        ("Mutex<u64>", &|_| *locked.lock().unwrap() += 1),
        ("Mutex<hdrhistogram>", &|n| {
            hdr.lock()
                .unwrap()
                .record(u64::from(n % 10_000 + 1))
                .unwrap();
        }),
        ("Counter::add", &|_| counter.add(1)),
        ("Accumulator::add", &|n| sum.add(value(n)).unwrap()),
        ("Histogram::observe", &|n| sketch.observe(value(n)).unwrap()),
        ("Tally::record of all three", &|n| {
            let value = value(n);
            let all = [
                counter.of(1),
                sum.of(value).unwrap(),
                sketch.of(value).unwrap(),
            ];
            tally.record(all).unwrap();
        }),
    ];
    let mut least = rows.map(|_| Duration::MAX);
    for _ in 0..ROUNDS {
        for ((_, count), least) in rows.iter().zip(&mut least) {
            *least = timed(threads, count).min(*least);
        }
    }
    for ((row, _), least) in rows.iter().zip(least) {
        let each = least.as_secs_f64() * 1e9 / f64::from(EVENTS);
        println!("  {row:<28} {each:>8.1}");
    }
}

/// How long it takes until each thread has counted all events.
fn timed(threads: usize, count: &(dyn Fn(u32) + Sync)) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..EVENTS).for_each(|n| count(black_box(n))));
        }
    });
    start.elapsed()
}

async fn merging(repo: &Repo) {
    let subject = "bench/merging";
    let mut tallies = Vec::new();
    for _ in 0..REPLICAS {
        let tally = tally(repo, subject);
        observe(&tally);
        tally.flush().await.unwrap();
        tallies.push(tally);
    }
    let (mut read, mut flush, mut totals) = (Duration::MAX, Duration::MAX, Totals::default());
    for round in 0..ROUNDS as usize {
        let start = Instant::now();
        totals = repo.read_tally(&name(subject)).await.unwrap();
        read = start.elapsed().min(read);
        let tally = &tallies[round % REPLICAS];
        observe(tally);
        let start = Instant::now();
        tally.flush().await.unwrap();
        flush = start.elapsed().min(flush);
    }
    black_box(totals);
    println!(
        "  {:<28} {:>8.0}",
        "read of all, in memory",
        read.as_secs_f64() * 1e6
    );
    println!(
        "  {:<28} {:>8.0}",
        "flush of one, in memory",
        flush.as_secs_f64() * 1e6
    );
}

/// Latencies between 1 and 1,000.
fn observe(tally: &Tally) {
    for arm in 0..ARMS {
        let register = |of: &str| name(&format!("arm-{arm}/{of}"));
        let counter = tally.counter(&register("exposures")).unwrap();
        let reward = tally
            .accumulator(&register("reward"), Scale::BITS_32)
            .unwrap();
        let took = tally
            .histogram(&register("ms"), Accuracy::ONE_PERCENT)
            .unwrap();
        for n in 0..1_000_u32 {
            let value = f64::from(n * 7_919 % 1_000 + 1);
            let all = [
                counter.of(1),
                reward.of(1.0 / value).unwrap(),
                took.of(value).unwrap(),
            ];
            tally.record(all).unwrap();
        }
    }
}
