//! Immutable, content-addressed snapshots of datasets, and what changed between them.
//!
//! A snapshot keeps files as they are. Of those that are tables (Parquet, CSV, JSON lines, Arrow IPC) it
//! also knows what they mean: schema, row count, a digest of every column that does not depend on
//! how the table is encoded, and statistics with which two versions are compared later without
//! reading their data.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::Actor;
//! use mainstay_data::arrow::array::{ArrayRef, Float64Array, RecordBatch};
//! use mainstay_data::{Datasets, SnapshotSpec};
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let datasets = Datasets::new(repo);
//!
//! let masses = |values: Vec<f64>| {
//!     let column: ArrayRef = Arc::new(Float64Array::from(values));
//!     RecordBatch::try_from_iter([("mass", column)]).unwrap()
//! };
//! let grams = masses(vec![3750.0, 3800.0, 3250.0]);
//! let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, "first season")
//!     .with_batches("penguins.parquet".parse()?, vec![grams])
//!     .with_tag("season-1".parse()?);
//! let first = datasets.snapshot(spec).await?;
//! assert_eq!((first.version, first.rows), (1, Some(3)));
//!
//! let kilograms = masses(vec![3.75, 3.8, 3.25]);
//! let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, "second season")
//!     .with_batches("penguins.parquet".parse()?, vec![kilograms])
//!     .with_parent(first.node.clone());
//! let second = datasets.snapshot(spec).await?;
//!
//! let tagged = datasets.resolve(&"penguins@season-1".parse()?).await?;
//! let diff = datasets.compare(&tagged, &second.node).await?;
//! assert!(diff.compatible && diff.columns[0].changed);
//! assert_eq!(diff.columns[0].drift.ks, Some(1.0));
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! Start with [`Datasets`], [`SnapshotSpec`], [`Manifest`] and [`diff::DatasetDiff`];
//! [`digest::TableHasher`] and [`digest::RowsHasher`] compute the digests of any record batches by
//! themselves, of every Arrow type, and [`rows::RowDiff`] finds the rows in which two tables differ.
//!
//! [`split`] divides a table for training, [`merge`] brings two versions together. Parquet files are
//! stored cut at their pages, so that a page that stays the same is stored once.
//!
//! The table files of a snapshot are one table; [`TableFiles`] says which they are where a directory holds
//! others beside them.
//!
//! Up to 1,024 files are listed in the manifest; more are a tree of pages that versions share, so that a
//! million files fit and a change of one stores a few pages. Where one process is too slow, several
//! [store parts](Datasets::store_part) and one [joins](Datasets::join) them.
//!
//! It does not rewrite files unless asked to ([`FileLayout::Canonical`]), or know what a dataset is used
//! for, and is no query engine.
//!
//! Batches are those of [`arrow`], and [`ParquetBlobReader`] is a reader of [`parquet`], both re-exported
//! here: major version 60. A new major version of theirs is a new major version of this crate.
//!
//! | feature | what it adds |
//! |---|---|
//! | `brotli` | reading Parquet compressed with Brotli |

pub use arrow;
pub use parquet;

mod blocking;
mod calendar;
mod canonical;
mod cells;
mod cuts;
mod datasets;
pub mod diff;
pub mod digest;
mod file_tree;
mod files;
mod format;
mod input;
mod logical;
mod manifest;
pub mod merge;
mod merged;
mod one_type;
mod parquet_blob;
mod part;
mod passing;
mod patch;
mod pattern;
mod pieces;
mod predicate;
mod ranges;
mod record;
mod report;
pub mod rows;
mod sample;
mod scan;
mod slots;
mod source;
mod spec;
pub mod split;
mod spool;
pub mod stats;
mod stored;
mod table_files;
mod text;
mod value_bytes;
mod workers;
mod zones;

pub use datasets::{Datasets, ReadOptions};
pub use files::{Canonical, FileChange, FileEntry, FileTree, Files, PatchEntry};
pub use format::{CsvDelimiter, CsvOptions, CsvQuote, JsonType};
pub use manifest::{Column, Manifest, Table};
pub use merged::MergedFile;
pub use parquet_blob::ParquetBlobReader;
pub use part::{PartSpec, SnapshotPart};
pub use pattern::PathPattern;
pub use predicate::{Comparison, Literal, Predicate};
pub use record::Transform;
pub use report::{
    BranchChange, BranchInfo, ColumnReport, DatasetInfo, ExportReport, FileReport, NullLike,
    RepeatedKeys, SnapshotReport, VersionInfo,
};
pub use sample::{SampleSize, SampleSpec};
pub use spec::{BatchStream, BranchTarget, FileLayout, Patches, SnapshotInput, SnapshotSpec};
pub use table_files::TableFiles;
