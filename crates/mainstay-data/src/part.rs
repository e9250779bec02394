//! Parts of a snapshot, which several processes store without knowing of each other.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use futures::stream::Stream;
use mainstay_core::{Error, ErrorKind, FilePath, Result, WriteId, canon};
use serde::{Deserialize, Serialize};

use crate::digest::RowsSum;
use crate::{BatchStream, FileLayout, Files, SnapshotInput, TableFiles};

/// The format that this build writes, and the newest it reads.
const FORMAT: u64 = 2;

/// What one process stores of a snapshot.
///
/// ```
/// use mainstay_data::PartSpec;
///
/// let part = PartSpec::new().with_path("/mnt/shard-7").below("shard-7".parse()?);
/// # Ok::<(), mainstay_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PartSpec {
    /// Where its content comes from; at least one file in all.
    pub inputs: Vec<SnapshotInput>,
    /// How table files are laid out.
    pub layout: FileLayout,
    /// Which files are tables, by their paths inside the snapshot; `None` means all by their extensions.
    pub table_files: Option<TableFiles>,
    /// The directory of the snapshot that the files come below; its root when `None`.
    pub below: Option<FilePath>,
}

/// Files that are stored and wait to be [joined](crate::Datasets::join) with others into a version.
///
/// Small whatever it names, so that it can be sent, as [`to_bytes`](Self::to_bytes) spells it;
/// `docs/formats/data-part.md` describes that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SnapshotPart {
    /// The format's version: 2, or 1 of a part that an earlier build stored.
    pub format: u64,
    /// Names the repository that holds the files.
    pub repository: WriteId,
    /// The files.
    pub files: Files,
    /// The rows of all its tables, summed up; `None` when there are none, when a table is CSV or JSON lines,
    /// whose types are those of all parts together, and in parts of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowsSum>,
}

impl PartSpec {
    /// Begins a part without inputs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file or directory, as [`SnapshotSpec::with_path`](crate::SnapshotSpec::with_path).
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.inputs.push(SnapshotInput::Path(path.into()));
        self
    }

    /// Adds rows in memory, stored as the Parquet file `file`.
    #[must_use]
    pub fn with_batches(mut self, file: FilePath, batches: Vec<RecordBatch>) -> Self {
        self.inputs.push(SnapshotInput::Batches { file, batches });
        self
    }

    /// Adds rows that come as a stream, as
    /// [`SnapshotSpec::with_stream`](crate::SnapshotSpec::with_stream).
    #[must_use]
    pub fn with_stream(
        mut self,
        file: FilePath,
        batches: impl Stream<Item = Result<RecordBatch>> + Send + 'static,
    ) -> Self {
        let batches = BatchStream::new(batches);
        self.inputs.push(SnapshotInput::Stream { file, batches });
        self
    }

    /// Says how table files are stored.
    #[must_use]
    pub fn with_layout(mut self, layout: FileLayout) -> Self {
        self.layout = layout;
        self
    }

    /// Says which of the files named by [`with_path`](Self::with_path) are tables, as
    /// [`SnapshotSpec::with_table_files`](crate::SnapshotSpec::with_table_files). Joining keeps that; whoever
    /// joins says what the version records.
    #[must_use]
    pub fn with_table_files(mut self, chosen: TableFiles) -> Self {
        self.table_files = Some(chosen);
        self
    }

    /// Puts the files below a directory of the snapshot.
    #[must_use]
    pub fn below(mut self, directory: FilePath) -> Self {
        self.below = Some(directory);
        self
    }
}

impl SnapshotPart {
    pub(crate) fn new(repository: WriteId, files: Files, rows: Option<RowsSum>) -> Self {
        Self {
            format: FORMAT,
            repository,
            files,
            rows,
        }
    }

    /// Spells it as canonical JSON: at most about 300 bytes a file, or less than 1 KiB for more than
    /// 1,024 files; and 6 KiB and the names of the columns where it has rows.
    ///
    /// # Errors
    /// None that a part of this crate has.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        canon::to_vec(self)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) spelled.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] when a newer Mainstay wrote it; [`ErrorKind::Invalid`] when it is none.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Probe {
            format: u64,
        }
        let none = || Error::invalid("not a part of a snapshot");
        let probe: Probe =
            serde_json::from_slice(bytes).map_err(|error| none().with_source(error))?;
        if probe.format > FORMAT {
            let newer = format!(
                "a part of format {}, newer than {FORMAT}: upgrade Mainstay to read it",
                probe.format
            );
            return Err(Error::new(ErrorKind::Incompatible, newer));
        }
        let part: Self = canon::from_slice(bytes).map_err(|error| none().with_source(error))?;
        if part.format == FORMAT || (part.format == 1 && part.rows.is_none()) {
            Ok(part)
        } else {
            Err(none())
        }
    }
}
