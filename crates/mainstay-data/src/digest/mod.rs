//! Logical digests of tables, profile `table-digest v2`.
//!
//! Two tables with the same values have the same digests, however they are cut into batches or row
//! groups, whichever string, binary, list, dictionary or run encoding they use, and whatever lies in
//! the slots of nulls. `docs/formats/table-digest.md` is the normative description.

mod column;
mod layout;
mod profile;
mod rows;
mod rows_sum;
mod stream;
mod sum;
mod table;

pub(crate) use column::ColumnHasher;
pub(crate) use layout::Layout;
pub use profile::Profile;
pub use rows::RowsHasher;
pub use rows_sum::RowsSum;
pub(crate) use stream::{ByteSink, ByteStream, ColumnStreams};
pub(crate) use table::table_digest;
pub use table::{TableDigests, TableHasher};

/// The name of the rules by which this module hashes.
pub(crate) const PROFILE: &str = "table-digest v2";

/// The rules before, whose column and table digests are the same.
pub(crate) const PROFILE_1: &str = "table-digest v1";
