//! Tests of `mainstay-store-object` through its public interface.

#![expect(
    clippy::unwrap_used,
    reason = "a failure in a helper fails the test that called it"
)]

mod bad_stores;
mod conformance;
mod lost_answers;
mod open;
mod reach;
mod requests;
mod scripted;
mod server;
mod torn;
mod web;
mod wire;
