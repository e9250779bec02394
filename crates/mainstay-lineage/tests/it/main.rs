//! Lineage over a repository in memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod drawings;
mod exports;
mod fixture;
mod walks;
