//! What a storage promises, tried on the one that `MAINSTAY_TEST_URL` names; nothing without it.
//!
//! `.ci/backends` starts servers and runs this on each. By hand, as root or not:
//!
//! ```sh
//! . "$(.ci/servers/moto up target/servers)"
//! cargo test -p tests --features backends --test backends
//! .ci/servers/moto down target/servers
//! ```
//!
//! Each test works below a prefix of its own and leaves nothing behind.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a failure in a helper fails the test that called it; a test without a storage says so"
)]

mod commits;
mod contract;
mod target;
mod workspace;
