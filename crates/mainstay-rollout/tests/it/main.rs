//! The crate against a repository in memory.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

mod channel;
mod faults;
mod formats;
mod history;
mod properties;
mod rollout;
mod routing;
mod units;
mod workshop;
