//! The files of a stored table.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use mainstay_core::{Digest, Error, ErrorKind, Result};
use mainstay_repo::{Blob, Repo};
use tokio::runtime::Handle;

use crate::FileEntry;
use crate::format::TableFormat;
use crate::source::Source;
use crate::stored::blob;

/// A file of a stored table.
pub(super) struct TableFile {
    pub(super) entry: FileEntry,
    /// The blobs that make it up: the file, then its patches.
    pub(super) blobs: Vec<Digest>,
    pub(super) format: TableFormat,
    /// The numbers of its rows in the table.
    pub(super) rows: Range<u64>,
    /// The rows that need not be read, by their numbers in the file.
    pub(super) known: Vec<Range<u64>>,
    pub(super) source: Source,
    pub(super) blob: Blob,
    /// How many bytes of its patches were read.
    pub(super) patch_bytes: AtomicU64,
}

impl TableFile {
    pub(super) fn open(
        (repo, runtime): (&Repo, &Handle),
        entry: FileEntry,
        format: TableFormat,
        rows: Range<u64>,
    ) -> Result<Self> {
        let blob = runtime.block_on(blob(repo, &entry.digest));
        let blob = blob.map_err(|error| error.context("file", &entry.path))?;
        Ok(Self {
            blobs: entry.blobs().collect(),
            entry,
            format,
            rows,
            known: Vec::new(),
            source: Source::blob(blob.clone(), runtime.clone()),
            blob,
            patch_bytes: AtomicU64::new(0),
        })
    }

    /// Returns how many rows it has.
    pub(super) fn count(&self) -> u64 {
        self.rows.end - self.rows.start
    }

    /// Returns how many bytes of the file and its patches were read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.source.bytes_read() + self.patch_bytes.load(Ordering::Relaxed)
    }

    /// The bytes are those that were stored and were readable then; what fails now is not input.
    pub(super) fn damaged(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Invalid => Error::corrupt(
                format!("blob {}", self.entry.digest),
                "a stored table cannot be decoded",
            )
            .context("file", &self.entry.path)
            .with_source(error),
            _ => error.context("file", &self.entry.path),
        }
    }
}
