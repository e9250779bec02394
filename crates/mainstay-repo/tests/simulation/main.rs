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

/// `MAINSTAY_SEEDS=from..to` if that is set; else so many, beginning with `MAINSTAY_SEED`.
fn seeds() -> std::ops::Range<u64> {
    let set = |name| std::env::var(name).ok();
    if let Some(seeds) = set("MAINSTAY_SEEDS") {
        let (from, to) = seeds.split_once("..").unwrap();
        return from.parse().unwrap()..to.parse().unwrap();
    }
    let schedules = set("MAINSTAY_LONG").map_or(SCHEDULES.0, |_| SCHEDULES.1);
    let first = set("MAINSTAY_SEED").map_or(0, |seed| seed.parse().unwrap());
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
    if schedules < SCHEDULES.0 {
        return;
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
    assert!(sum.swept > schedules, "swept: {}", sum.swept);
}

#[test]
fn the_same_seed_makes_the_same_trace_and_another_seed_another() {
    let traces: Vec<_> = (0..12).map(|seed| play(seed).trace).collect();
    for (seed, trace) in traces.iter().enumerate() {
        assert_eq!(play(seed as u64).trace, *trace, "MAINSTAY_SEED={seed}");
        assert!(traces[..seed].iter().all(|other| other != trace));
    }
}
