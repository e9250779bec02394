//! The record of a version's ref.

use mainstay_core::{BulkDigest, Digest, Error, Result};
use mainstay_repo::RefState;
use serde::{Deserialize, Serialize};

use crate::Manifest;

/// The format that this build writes, and the newest it reads.
const FORMAT: u64 = 2;

/// Where the manifest is, and what a listing shows without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VersionRecord {
    pub(crate) format: u64,
    /// The digest of the manifest.
    pub(crate) snapshot: Digest,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) rows: Option<u64>,
    pub(crate) columns: u64,
    pub(crate) table_digest: Option<BulkDigest>,
    pub(crate) rows_digest: Option<BulkDigest>,
}

impl VersionRecord {
    pub(crate) const KIND: &str = "data.snapshot";

    /// Describes a manifest, which is stored as the blob `snapshot`.
    pub(crate) fn new(manifest: &Manifest, snapshot: Digest) -> Self {
        let table = manifest.table.as_ref();
        Self {
            format: FORMAT,
            snapshot,
            files: manifest.files.len() as u64,
            bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            rows: table.map(|table| table.rows),
            columns: manifest.columns().len() as u64,
            table_digest: table.map(|table| table.table_digest),
            rows_digest: table.map(|table| table.rows_digest),
        }
    }

    /// Decodes the record of a version's ref.
    pub(crate) fn of(state: &RefState) -> Result<Self> {
        let value = state
            .value
            .as_ref()
            .ok_or_else(|| Error::corrupt(Self::KIND, "a version without a value"))?;
        value
            .check_format(Self::KIND, 1)
            .or_else(|_| value.check_format(Self::KIND, FORMAT))?;
        value.decode(Self::KIND)
    }
}
