//! Immutable dataset snapshots with logical digests, statistics, tags and schema diff.

pub use arrow;

mod datasets;
pub mod diff;
pub mod digest;
mod manifest;
mod path;
mod report;
mod spec;
pub mod stats;

pub use datasets::{Datasets, ReadOptions};
pub use manifest::{Column, FileEntry, Manifest, Table};
pub use path::FilePath;
pub use report::{
    ColumnReport, DatasetInfo, ExportReport, FileReport, SnapshotReport, VersionInfo,
};
pub use spec::{SnapshotInput, SnapshotSpec};
