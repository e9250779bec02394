//! Tallies: statistics that many processes count at a high rate, and that merge exactly.
//!
//! Nothing of it goes through the log. Each replica writes objects of its own, and reading adds up
//! the newest of each. Counts are integers, sums fixed point, distributions bins that count: whatever
//! the order, the result is the same to the byte. Compaction folds what is old into one object.
//!
//! Normative: `docs/formats/tally.md`.

mod compact;
mod fixed;
mod gather;
mod handle;
mod name;
pub(crate) mod object;
pub(crate) mod position;
mod registers;
mod replica;
mod sketch;
mod states;
mod stripes;
#[cfg(test)]
mod tests;
mod totals;

pub use self::compact::CompactionReport;
pub use self::fixed::{FixedSum, Scale};
pub use self::handle::{Accumulator, Counter, Histogram, Observation, Tally};
pub use self::name::TallyName;
pub use self::registers::{RegisterId, RegisterKind};
pub use self::sketch::{Accuracy, Sketch};
pub use self::totals::Totals;
