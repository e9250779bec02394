//! Deterministic simulation: eight processes on one storage, their operations interleaved, refused,
//! lost, repeated, stalled and cut off as a seed says.
//!
//! Every operation of every process waits until [`schedule`] lets it happen, and nothing is decided
//! before every process waits or has ended, so the order does not depend on threads: the same seed
//! makes the same trace. [`ledger`] knows what was acknowledged and [`verdict`] asks it in the end.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod actors;
mod ledger;
mod network;
mod schedule;
mod verdict;

use schedule::{Outcome, simulate};

/// How many schedules are tried; `MAINSTAY_LONG=1` tries all of them.
const SCHEDULES: (u64, u64) = (120, 20_000);

fn seeds() -> std::ops::Range<u64> {
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    let schedules = if long { SCHEDULES.1 } else { SCHEDULES.0 };
    let first = std::env::var("MAINSTAY_SEED").ok();
    let first: u64 = first.and_then(|seed| seed.parse().ok()).unwrap_or(0);
    first..first + schedules
}

/// Plays one schedule on a runtime of its own.
fn play(seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(simulate(seed))
    }));
    outcome.unwrap_or_else(|_| panic!("MAINSTAY_SEED={seed}"))
}

#[test]
fn whatever_happens_to_eight_processes_what_was_acknowledged_is_there_and_sound() {
    let mut sum = Outcome::default();
    let seeds = seeds();
    let schedules = seeds.end - seeds.start;
    for seed in seeds {
        sum.add(&play(seed));
    }
    // The schedules are worth something: nothing was left out by bad luck.
    let each = [
        ("operations", sum.operations, 200),
        ("faults", sum.faults, 5),
        ("crashes", sum.crashes, 1),
        ("stalls", sum.stalls, 1),
        ("commits", sum.acknowledged, 5),
    ];
    for (what, count, least) in each {
        assert!(count >= schedules * least, "{what}: {count}");
    }
    assert!(sum.deleted > schedules / 4, "deleted: {}", sum.deleted);
}

#[test]
fn the_same_seed_makes_the_same_trace_and_another_seed_another() {
    let traces: Vec<_> = (0..12).map(|seed| play(seed).trace).collect();
    for (seed, trace) in traces.iter().enumerate() {
        assert_eq!(play(seed as u64).trace, *trace, "MAINSTAY_SEED={seed}");
        assert!(traces[..seed].iter().all(|other| other != trace));
    }
}
