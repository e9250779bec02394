//! Dividing a table into parts that stay apart: training, validation, test.
//!
//! By hash, a row's part follows from the values of its key columns and the seed alone: adding rows
//! moves no row, and rows of one key are never on two sides. Give the columns of a group as the key to
//! keep groups whole. `docs/formats/data-split.md` says how to find a row's part elsewhere.

mod assign;
mod leakage;
mod record;
mod report;
mod spec;

pub(crate) use assign::{Assigner, Observation};
pub(crate) use leakage::{Hash, Seen, Shared};
pub use leakage::{LeakageReport, Overlap};
pub use record::{SplitRecord, StoredPart};
pub use report::{PartReport, SplitReport};
pub use spec::{SplitPart, SplitRule, SplitSpec};
