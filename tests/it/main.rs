//! What only the crates together can show.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failure in a helper fails the test that called it"
)]

mod changed;
mod encrypted;
mod guarantees;
mod layering;
mod linearizability;
mod live;
mod processes;
mod secrets;
mod workspace;
