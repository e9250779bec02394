//! What is stored of a snapshot, opened: blobs, and table files with their patches applied.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use mainstay_core::{Digest, Error, ErrorKind, Result};
use mainstay_repo::{Blob, Repo};
use tokio::runtime::Handle;

use crate::FileEntry;
use crate::format::csv::CsvSchema;
use crate::format::{TableFormat, TableReader};
use crate::patch;
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
    csv: &CsvSchema,
    wanted: Option<&[String]>,
) -> Result<StoredTable> {
    let stored = runtime.block_on(blob(repo, &entry.digest));
    let stored = stored.map_err(|error| error.context("file", &entry.path))?;
    let source = Source::blob(stored, runtime.clone());
    open_from(source, repo, runtime, entry, csv, wanted)
}

/// As [`open`], reading the file itself from `source`.
pub(crate) fn open_from(
    source: Source,
    repo: &Repo,
    runtime: &Handle,
    entry: &FileEntry,
    csv: &CsvSchema,
    wanted: Option<&[String]>,
) -> Result<StoredTable> {
    let path = entry.path.clone();
    let object = format!("blob {}", entry.digest);
    // The bytes are those that were stored and were readable then; what fails now is not input.
    let unreadable = move |error: Error| match error.kind() {
        ErrorKind::Invalid => Error::corrupt(&object, "a stored table cannot be decoded")
            .context("file", &path)
            .with_source(error),
        _ => error.context("file", &path),
    };
    let table = open_all(source, repo, runtime, entry, csv, wanted).map_err(&unreadable)?;
    let batches = table.batches.map(move |batch| batch.map_err(&unreadable));
    Ok(StoredTable {
        schema: table.schema,
        batches: Box::new(batches),
    })
}

fn open_all(
    source: Source,
    repo: &Repo,
    runtime: &Handle,
    entry: &FileEntry,
    csv: &CsvSchema,
    wanted: Option<&[String]>,
) -> Result<StoredTable> {
    let format = TableFormat::of(&entry.path).ok_or_else(|| Error::invalid("no table file"))?;
    let reader = TableReader::open(source, format, csv, wanted)?;
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
