//! One harness, every storage, the same work.
//!
//! [`run`] opens each [`Target`], lets them take turns at every workload, and returns a [`Report`] that
//! can be shown as [Markdown](Report::markdown), [JSON](Report::json) and [a chart](Report::chart).
//! It works below a fresh prefix of each storage and deletes what it wrote, also after an error and
//! when it is told to stop.

mod backend;
mod bars;
mod chart;
mod encryption;
mod input;
mod machine;
mod markdown;
mod metric;
mod number;
mod place;
mod report;
mod scale;
mod session;
mod target;
mod timing;
mod workload;
mod wrappers;

pub use bars::Bar;
pub use encryption::EncryptionRow;
pub use machine::Machine;
pub use metric::{Metric, Unit};
pub use report::{BackendFacts, Failure, Report, ResultRow, Spread};
pub use scale::Scale;
pub use session::{Options, run};
pub use target::Target;
pub use wrappers::WrapperRow;
