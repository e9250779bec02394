//! The `mainstay` command, driven as a shell drives it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod damage;
mod data;
mod data_diff;
mod deploy;
mod env;
mod errors;
mod gc;
mod guides;
mod help;
mod import;
mod log;
mod making;
mod model;
mod prompt;
mod reading;
mod replicate;
mod run;
mod serving;
mod signing;
mod storage;
mod story;
mod support;
mod terminal;
mod told;
mod uploads;
