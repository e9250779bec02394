//! Behaviour of the repository through its public interface.

mod basics;
mod checkpoints;
mod concurrency;
mod conflicts;
mod damage;
mod faults;
mod golden;
mod idempotency;
mod model;
mod support;
