//! What the verbs of [`Datasets`](crate::Datasets) answer.

use std::collections::BTreeMap;

use mainstay_core::{Actor, BulkDigest, Digest, Edge, FilePath, Name, NodeRef, Timestamp};
use serde::Serialize;

use crate::{FileEntry, TableFiles, Transform};

/// What a snapshot stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SnapshotReport {
    /// The version, as everything else refers to it.
    pub node: NodeRef,
    /// The dataset.
    pub dataset: Name,
    /// The version's number.
    pub version: u64,
    /// The digest of the manifest: the snapshot's identity.
    pub snapshot: Digest,
    /// Rows of the table; `None` when no file is a table.
    pub rows: Option<u64>,
    /// Columns of the table, in file order.
    pub columns: Vec<ColumnReport>,
    /// Identifies the table's values and the order of its rows.
    pub table_digest: Option<BulkDigest>,
    /// Identifies the table's rows in any order.
    pub rows_digest: Option<BulkDigest>,
    /// Keys that several rows have, so that the recorded key does not tell these apart; `None` where there
    /// are none, and where no key was given.
    pub repeated_keys: Option<RepeatedKeys>,
    /// Columns of CSV files that are text only for fields like `NA`, which
    /// [`CsvOptions::with_null`](crate::CsvOptions::with_null) takes for nulls. Told where the files were read: not of files
    /// that an earlier version has.
    pub null_like: Vec<NullLike>,
    /// The files, in path order.
    pub files: Vec<FileReport>,
    /// Which files were chosen for the table; `None` where those are that are tables by their extensions.
    pub table_files: Option<TableFiles>,
    /// The files that are tables by their extensions and not of the table: stored as they are, and not
    /// looked into.
    pub opaque: Vec<FilePath>,
    /// Bytes that were not in the repository before.
    pub new_bytes: u64,
    /// Whether content and lineage equal the latest version's, so that no new version was made.
    pub reused: bool,
}

/// Keys that several rows of a table have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RepeatedKeys {
    /// How many keys.
    pub keys: u64,
    /// How many rows have them.
    pub rows: u64,
    /// The one whose first row comes first, as text by column; nulls are absent.
    pub first: BTreeMap<String, String>,
}

/// A column of CSV files that is text for the sake of a few fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NullLike {
    /// Its name.
    pub column: String,
    /// What others write where a value is missing, of that which the column has, sorted.
    pub texts: Vec<String>,
    /// The logical type that the column would have if these were nulls.
    #[serde(rename = "type")]
    pub logical_type: String,
}

/// A column in a [`SnapshotReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// Its logical type.
    #[serde(rename = "type")]
    pub logical_type: String,
    /// Identifies its values and their order.
    pub digest: BulkDigest,
}

/// A file in a [`SnapshotReport`] or [`ExportReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileReport {
    /// Its path inside the snapshot.
    pub path: FilePath,
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

impl From<&FileEntry> for FileReport {
    fn from(file: &FileEntry) -> Self {
        Self {
            path: file.path.clone(),
            digest: file.digest,
            bytes: file.bytes,
        }
    }
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportReport {
    /// The version.
    pub node: NodeRef,
    /// The files, in path order.
    pub files: Vec<FileReport>,
    /// Their size together.
    pub bytes: u64,
}

/// One version of a dataset in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VersionInfo {
    /// The version, as everything else refers to it.
    pub node: NodeRef,
    /// The version's number.
    pub version: u64,
    /// The snapshot's digest.
    pub snapshot: Digest,
    /// Rows of the table; `None` when no file is a table.
    pub rows: Option<u64>,
    /// Columns of the table.
    pub columns: u64,
    /// How many files.
    pub files: u64,
    /// Their size together.
    pub bytes: u64,
    /// The tags that point to it, in name order.
    pub tags: Vec<Name>,
    /// The branches that point to it, in name order.
    pub branches: Vec<Name>,
    /// The versions of this dataset that it continues.
    pub parents: Vec<NodeRef>,
    /// What else it came from.
    pub sources: Vec<Edge>,
    /// The columns that tell its rows apart; none when nobody said.
    pub key: Vec<String>,
    /// How many keys several rows have; `None` where nobody counted.
    pub repeated_keys: Option<u64>,
    /// Whether the data was generated, not observed.
    pub synthetic: bool,
    /// What made it from its sources.
    pub transform: Option<Transform>,
    /// Which files were chosen for its table; `None` where those are that are tables by their extensions.
    pub table_files: Option<TableFiles>,
    /// When it was committed.
    pub time: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}

/// One dataset in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DatasetInfo {
    /// Its name.
    pub dataset: Name,
    /// How many versions it has.
    pub versions: u64,
    /// The version committed last.
    pub latest: NodeRef,
    /// Rows of that version's table; `None` when no file is a table.
    pub rows: Option<u64>,
    /// Size of that version's files.
    pub bytes: u64,
    /// When it was committed.
    pub time: Timestamp,
    /// Whether that version was generated, not observed.
    pub synthetic: bool,
    /// Every tag, in name order.
    pub tags: Vec<Name>,
    /// Every branch, in name order.
    pub branches: Vec<Name>,
}

/// One branch in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BranchInfo {
    /// Its name.
    pub branch: Name,
    /// The version it points to.
    pub head: NodeRef,
    /// How often it was set, over all branches that ever had the name.
    pub moves: u64,
    /// When it was set last.
    pub time: Timestamp,
}

/// One move of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BranchChange {
    /// The version it pointed to from then on; `None` when it was deleted.
    pub to: Option<NodeRef>,
    /// The log entry.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// Why.
    pub reason: String,
}
