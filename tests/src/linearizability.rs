//! Whether what concurrent clients saw could have happened one operation after the other.
//!
//! A history says of each operation when it was called, when it returned, and what it answered. It
//! is *linearizable* if the operations have an order that keeps everything which ended before
//! something else began, and in which a single client would have got the same answers.
//!
//! [`check`] looks for that order. [`Refs`] says what a repository answers, and [`workload`] makes
//! clients commit and read at once and writes their history down.

mod refs;
mod search;
pub mod workload;

pub use refs::{Change, Expected, Operation, Ref, Refs, RefsState};
pub use search::{Call, Model, Verdict, check};
