//! The behavior of the crate as a whole, on storage in memory.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod digests;
mod drift;
mod golden;
mod hostile;
mod inputs;
mod snapshots;
mod stored;
mod support;
