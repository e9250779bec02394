//! The behavior of the crate as a whole, on storage in memory.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod branches;
mod compared_files;
mod csv_options;
mod digests;
mod drift;
mod drift_vectors;
mod every_type;
mod golden;
mod hostile;
mod inputs;
mod interop;
mod interrupted;
mod json_lines;
mod layouts;
mod merged_types;
mod merges;
mod mixed_types;
mod model;
mod multiset;
mod parquet_blobs;
mod parts;
mod patched_rows;
mod patches;
mod predicates;
mod progress;
mod read_to_compare;
mod reference;
mod round_trip;
mod row_diff;
mod rows_in_memory;
mod snapshots;
mod splits;
mod stored;
mod stored_rows;
mod support;
mod table_files;
mod trees;
mod unchanged;
mod zones;
