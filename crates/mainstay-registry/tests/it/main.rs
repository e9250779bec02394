//! The registry on a repository in memory.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod aliases;
mod batch;
mod bump_table;
mod card;
mod deletion;
mod evaluations;
mod fixture;
mod format;
mod gates;
mod hostile;
mod making;
mod mlflow;
mod mlflow_filters;
mod mlmodel;
mod nondeterminism;
mod oci;
mod past_runs;
mod pull;
mod races;
mod reading;
mod register;
mod rename_races;
mod renames;
mod resolve;
mod run_format;
mod runs;
mod search;
mod search_lineage;
mod search_naive;
mod search_records;
mod search_runs;
mod serving;
mod signing;
mod stages;
mod tensors;
mod uploads;
