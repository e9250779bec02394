//! Programs that measure Mainstay.
//!
//! The command `mainstay-bench` is for users and measures what depends on where they are:
//!
//! ```sh
//! cargo run --release -p mainstay-bench -- storage
//! cargo run --release -p mainstay-bench --features s3 -- storage --url s3://bucket/prefix
//! ```
//!
//! [`storage`] does the same work on every storage and prints one table, a JSON document and a chart;
//! `docs/guides/comparing-storage.md` says what each figure means. The `[[bench]]` targets of this
//! package compare parts of Mainstay with other programs and are for those who work on them. Recorded
//! runs of both are in `results/`.
//!
//! | feature | measures |
//! |---|---|
//! | `s3` | `s3://` |
//! | `gcs` | `gs://` |
//! | `azure` | `az://` |
//! | `sqlite` | `sqlite:`; a file in the temporary directory unless others are named |
//! | `postgres` | `postgres://` |
//!
//! Memory and directories are always there. Web servers are not: they take no writes.

mod arguments;
pub mod storage;

pub use arguments::arguments;
