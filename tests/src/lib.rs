//! Tools of the tests that span crates.

#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "nobody outside of this package uses them"
)]

pub mod linearizability;
pub mod story;
