//! What is stored of a snapshot, opened: blobs, and table files with their patches applied.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::{Digest, Error, ErrorKind, FilePath, Result};
use mainstay_repo::{Blob, Repo};
use tokio::runtime::Handle;

use crate::FileEntry;
use crate::format::{TableFormat, TableReader, TextTypes};
use crate::patch;
use crate::predicate::Predicate;
use crate::source::Source;

/// Finds a blob that a record names.
pub(crate) async fn blob(repo: &Repo, digest: &Digest) -> Result<Blob> {
    repo.blob(digest).await?.ok_or_else(|| {
        Error::corrupt(
            format!("blob {digest}"),
            "a blob that a version needs is gone",
        )
    })
}

/// A stored table file that has been opened.
pub(crate) struct StoredTable {
    /// Of the file, all its columns.
    pub(crate) schema: SchemaRef,
    /// Of the wanted columns, in the order of the file.
    pub(crate) batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
}

/// Opens a table file of a snapshot; reads only the columns in `wanted`, when given. Blocks, on a thread
/// that is none of `runtime`'s that run tasks.
///
/// # Errors
/// [`ErrorKind::Corrupt`] naming the file when what is stored is not what was: also within the batches.
pub(crate) fn open(
    repo: &Repo,
    runtime: &Handle,
    entry: &FileEntry,
    types: &TextTypes,
    wanted: Option<&[String]>,
) -> Result<StoredTable> {
    open_where(repo, runtime, entry, types, wanted, None)
}

/// As [`open`], for the rows that `filter` is true of, and maybe others.
pub(crate) fn open_where(
    repo: &Repo,
    runtime: &Handle,
    entry: &FileEntry,
    types: &TextTypes,
    wanted: Option<&[String]>,
    filter: Option<&Predicate>,
) -> Result<StoredTable> {
    let stored = runtime.block_on(blob(repo, &entry.digest));
    let stored = stored.map_err(|error| error.context("file", &entry.path))?;
    let source = Source::blob(stored, runtime.clone());
    let table = open_all(source, repo, runtime, entry, types, (wanted, filter));
    Unreadable::of(entry).watch(table)
}

/// Names the file that cannot be read.
struct Unreadable {
    path: FilePath,
    object: String,
}

impl Unreadable {
    fn of(entry: &FileEntry) -> Self {
        Self {
            path: entry.path.clone(),
            object: format!("blob {}", entry.digest),
        }
    }

    fn watch(self, table: Result<StoredTable>) -> Result<StoredTable> {
        let table = table.map_err(|error| self.explain(error))?;
        let batches = table.batches;
        Ok(StoredTable {
            schema: table.schema,
            batches: Box::new(batches.map(move |batch| batch.map_err(|e| self.explain(e)))),
        })
    }

    /// The bytes are those that were stored and were readable then; what fails now is not input.
    fn explain(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Invalid => Error::corrupt(&self.object, "a stored table cannot be decoded")
                .context("file", &self.path)
                .with_source(error),
            _ => error.context("file", &self.path),
        }
    }
}

fn open_all(
    source: Source,
    repo: &Repo,
    runtime: &Handle,
    entry: &FileEntry,
    types: &TextTypes,
    (wanted, filter): (Option<&[String]>, Option<&Predicate>),
) -> Result<StoredTable> {
    // The rows of a file with patches are not where its statistics say.
    let filter = filter.filter(|_| entry.patches().is_empty());
    let format = TableFormat::of(&entry.path).ok_or_else(|| Error::invalid("no table file"))?;
    let reader = TableReader::open_where(source, format, types, wanted, filter)?;
    let schema = Arc::clone(reader.schema());
    let read = match wanted {
        None => Arc::clone(&schema),
        Some(wanted) => {
            let fields = schema.fields().iter().enumerate();
            let places = fields.filter(|(_, field)| wanted.contains(field.name()));
            let places: Vec<usize> = places.map(|(place, _)| place).collect();
            let projected = schema.project(&places);
            Arc::new(
                projected.map_err(|error| Error::invalid("no such columns").with_source(error))?,
            )
        }
    };
    let mut batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send> = Box::new(reader);
    for told in entry.patches() {
        let bytes = runtime.block_on(async { blob(repo, &told.digest).await?.bytes().await })?;
        let found = patch::decode(&bytes, &schema)?;
        batches = patch::apply(found, batches, &read)?;
    }
    Ok(StoredTable { schema, batches })
}
