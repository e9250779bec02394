//! The server as seen by a client that reads bytes.

#![expect(
    clippy::unwrap_used,
    reason = "a failure in a helper fails the test that called it"
)]

mod faults;
mod honest;
mod raw;
