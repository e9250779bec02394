//! The behavior of the crate as a whole, on storage in memory.

mod digests;
mod drift;
mod golden;
mod hostile;
mod inputs;
mod snapshots;
mod stored;
mod support;
