//! Behaviour of the repository through its public interface.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod background;
mod basics;
mod beats;
mod checkpoints;
mod concurrency;
mod conflicts;
mod damage;
mod faults;
mod golden;
mod golden_tallies;
mod group;
mod idempotency;
mod leases;
mod lineage;
mod local;
mod metrics;
mod model;
mod support;
mod tallies;
mod tally_model;
mod wander;
