//! Lineage over a repository in memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod changes;
mod drawings;
mod events;
mod exports;
mod fixture;
mod references;
mod walks;
