//! Bandits: which arm to try next.

mod stats;
#[cfg(test)]
mod tests;
mod thompson;

pub use stats::{ArmStats, Counts};
pub use thompson::{Choice, ThompsonSampling};
