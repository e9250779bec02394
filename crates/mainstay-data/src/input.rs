//! Finding the files of a snapshot: what the user named, and what lies below it.

use std::fs::{self, File, Metadata};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use mainstay_core::{Error, ErrorKind, FilePath, Result, Telling};
use mainstay_repo::Repo;
use tokio::runtime::Handle;

use crate::digest::RowsSum;
use crate::format::TableFormat;
use crate::format::parquet::write;
use crate::passing::told;
use crate::source::Source;
use crate::spool::Spooled;
use crate::{FileEntry, FileLayout, SnapshotInput, stored};

/// The deepest directory that is entered.
const MAX_DEPTH: usize = 64;

/// A file that will be part of a snapshot.
pub(crate) struct InputFile {
    pub(crate) path: FilePath,
    pub(crate) origin: Origin,
    /// Rows, and what was written anew, are canonical.
    pub(crate) layout: FileLayout,
}

impl InputFile {
    /// A file of an earlier version, which stays what it was there.
    pub(crate) fn stored(file: StoredFile) -> Self {
        let layout = match (&file.entry.canonical, file.entry.rows) {
            (Some(_), _) => FileLayout::Canonical,
            (None, Some(_)) => FileLayout::Verbatim,
            (None, None) => FileLayout::Plain,
        };
        Self {
            path: file.entry.path.clone(),
            origin: Origin::Stored(Box::new(file)),
            layout,
        }
    }

    /// Tells what it is read as; `None` where it is not a table.
    pub(crate) fn table_format(&self) -> Option<TableFormat> {
        match self.layout {
            FileLayout::Verbatim | FileLayout::Canonical => TableFormat::of(&self.path),
            FileLayout::Plain => None,
        }
    }

    pub(crate) fn is_canonical(&self) -> bool {
        self.layout == FileLayout::Canonical
    }
}

/// Where the bytes of a file come from.
pub(crate) enum Origin {
    Disk { path: PathBuf, before: Fingerprint },
    Spooled(Spooled),
    Stored(Box<StoredFile>),
}

/// A file that an earlier version has.
pub(crate) struct StoredFile {
    pub(crate) entry: FileEntry,
    pub(crate) repo: Repo,
    /// What drives the reading.
    pub(crate) runtime: Handle,
    /// The rows of all table files that came with it, summed up where they were stored.
    pub(crate) sum: Option<Arc<RowsSum>>,
}

/// What tells that a file was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }

    /// Checks that the file at `path`, of which so many bytes were stored, was not written to since.
    /// Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] naming the path.
    pub(crate) fn check(&self, path: &Path, stored_bytes: u64) -> Result<()> {
        let now = fs::metadata(path).map_err(|error| unreadable(error, path))?;
        if Self::of(&now) == *self && stored_bytes == self.bytes {
            Ok(())
        } else {
            Err(
                Error::new(ErrorKind::Conflict, "the file changed while it was read")
                    .context("path", path.display()),
            )
        }
    }
}

/// Lists the files of `inputs` in path order; rows are encoded. Blocks.
///
/// Streams of rows are driven on `runtime`, of which this must not be a thread that runs tasks.
///
/// # Errors
/// Naming the path: [`ErrorKind::NotFound`] when there is none, [`ErrorKind::Invalid`] for a symbolic
/// link inside a directory, for what is neither file nor directory, for a name that is not UTF-8, for
/// two files of one path; those of [`write::encode`].
pub(crate) fn gather(
    inputs: &[SnapshotInput],
    runtime: &Handle,
    telling: &Telling,
) -> Result<Vec<InputFile>> {
    let mut files = Vec::new();
    for input in inputs {
        match input {
            SnapshotInput::Path(path) => named(path, &mut files)?,
            SnapshotInput::Batches { file, batches } => {
                files.push(rows(file, batches.iter().cloned().map(Ok), telling)?);
            }
            SnapshotInput::Stream { file, batches } => {
                let batches = batches.take().ok_or_else(|| {
                    Error::invalid("a stream of rows that was read before").context("file", file)
                })?;
                files.push(rows(file, Driven { batches, runtime }, telling)?);
            }
        }
    }
    in_path_order(&mut files)?;
    Ok(files)
}

/// Sorts files by path.
///
/// # Errors
/// [`ErrorKind::Invalid`] naming the path that two files have.
pub(crate) fn in_path_order(files: &mut [InputFile]) -> Result<()> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    match files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        Some(pair) => Err(Error::invalid("two files of one path").context("file", &pair[0].path)),
        None => Ok(()),
    }
}

/// Encodes rows as a file.
fn rows(
    file: &FilePath,
    batches: impl Iterator<Item = Result<RecordBatch>>,
    telling: &Telling,
) -> Result<InputFile> {
    if TableFormat::of(file) != Some(TableFormat::Parquet) {
        let why = "rows are stored in a file that ends in .parquet, .pq or .parq";
        return Err(Error::invalid(why).context("file", file));
    }
    let encoded =
        write::encode(told(batches, telling)).map_err(|error| error.context("file", file))?;
    Ok(InputFile {
        path: file.clone(),
        origin: Origin::Spooled(encoded),
        layout: FileLayout::Canonical,
    })
}

/// A stream, read from a thread that may block.
struct Driven<'a> {
    batches: BoxStream<'static, Result<RecordBatch>>,
    runtime: &'a Handle,
}

impl Iterator for Driven<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.runtime.block_on(self.batches.next())
    }
}

/// Adds a path that the user named.
fn named(path: &Path, files: &mut Vec<InputFile>) -> Result<()> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(error, path))?;
    if metadata.is_dir() {
        return below(path, "", MAX_DEPTH, files);
    }
    let name = path.file_name().ok_or_else(|| {
        Error::invalid("a path without a file name").context("path", path.display())
    })?;
    add(path, text(name, path)?, &metadata, files)
}

/// Adds every file below a directory; `prefix` is its path inside the snapshot, ended by `/`.
fn below(directory: &Path, prefix: &str, depth: usize, files: &mut Vec<InputFile>) -> Result<()> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(
            Error::invalid("directories nested more than 64 levels deep")
                .context("path", directory.display()),
        );
    };
    let unreadable = |error| unreadable(error, directory);
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let inside = format!("{prefix}{}", text(&entry.file_name(), &path)?);
        // Does not follow links.
        let metadata = entry.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            below(&path, &format!("{inside}/"), depth, files)?;
        } else {
            add(&path, &inside, &metadata, files)?;
        }
    }
    Ok(())
}

fn add(path: &Path, inside: &str, metadata: &Metadata, files: &mut Vec<InputFile>) -> Result<()> {
    if !metadata.is_file() {
        let found = if metadata.is_symlink() {
            "a symbolic link inside a directory"
        } else {
            "neither a file nor a directory"
        };
        return Err(Error::invalid(found).context("path", path.display()));
    }
    files.push(InputFile {
        path: FilePath::new(inside)?,
        origin: Origin::Disk {
            path: path.to_owned(),
            before: Fingerprint::of(metadata),
        },
        layout: FileLayout::Verbatim,
    });
    Ok(())
}

fn text<'a>(name: &'a std::ffi::OsStr, path: &Path) -> Result<&'a str> {
    name.to_str().ok_or_else(|| {
        Error::invalid("a file name that is not UTF-8").context("path", path.display())
    })
}

fn unreadable(error: std::io::Error, path: &Path) -> Error {
    Error::from(error).context("path", path.display())
}

impl Origin {
    /// Returns the size that was found.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Spooled(spooled) => spooled.bytes(),
            Self::Stored(file) => file.entry.bytes,
            Self::Disk { before, .. } => before.bytes,
        }
    }

    /// Opens the bytes, those that patches change where there are patches. Blocks, on a thread that is none of the runtime's that run tasks.
    pub(crate) fn open(&self) -> Result<Source> {
        match self {
            Self::Spooled(spooled) => Ok(spooled.open()?),
            Self::Stored(file) => {
                let found = stored::blob(&file.repo, &file.entry.digest);
                let blob = file.runtime.block_on(found)?;
                Ok(Source::blob(blob, file.runtime.clone()))
            }
            Self::Disk { path, .. } => File::open(path)
                .and_then(Source::file)
                .map_err(|error| unreadable(error, path)),
        }
    }

    /// Checks that a file on disk was not written to since it was found. Blocks.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] naming the path.
    pub(crate) fn check_unchanged(&self, stored_bytes: u64) -> Result<()> {
        match self {
            Self::Disk { path, before } => before.check(path, stored_bytes),
            Self::Spooled(_) | Self::Stored(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(inputs: &[SnapshotInput]) -> Result<Vec<InputFile>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        super::gather(inputs, runtime.handle(), &Telling::default())
    }

    #[test]
    fn a_file_that_was_written_to_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.csv");
        fs::write(&path, "a\n1\n").unwrap();
        let files = gather(&[SnapshotInput::Path(path.clone())]).unwrap();
        assert!(files[0].origin.check_unchanged(4).is_ok());
        // Stored while it was longer.
        assert!(files[0].origin.check_unchanged(5).is_err());
        fs::write(&path, "a\n1\n2\n").unwrap();
        let error = files[0].origin.check_unchanged(4).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("a.csv"), "{error}");
    }

    #[test]
    fn files_come_in_path_order_wherever_they_are_named() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["b.csv", "a/z.csv", "a.csv"] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let files = gather(&[SnapshotInput::Path(directory.path().to_owned())]).unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a.csv", "a/z.csv", "b.csv"]);
    }
}
