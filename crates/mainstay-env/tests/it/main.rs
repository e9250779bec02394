//! Captures of fixture trees, secrets, and environments in a repository.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod capture;
#[cfg(feature = "repo")]
mod environments;
mod golden;
mod secrets;
#[cfg(unix)]
mod tree;
