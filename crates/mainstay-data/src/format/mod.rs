//! Table formats: from the bytes of a file to record batches.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::CompressionType;
use mainstay_core::{BulkDigest, Error, FilePath, Result};
use mainstay_repo::Layout;

use self::parquet::{LeafPages, ParquetRows};
use crate::predicate::Predicate;
use crate::source::Source;

mod csv;
mod ipc;
mod jsonl;
pub(crate) mod parquet;
mod types;

pub use csv::{CsvDelimiter, CsvOptions, CsvQuote};
pub use jsonl::JsonType;
pub(crate) use jsonl::write_spelled;
pub(crate) use types::{Inference, TextTypes};

/// The most rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// A format whose files are read as tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableFormat {
    Parquet,
    Ipc,
    Csv { delimiter: u8 },
    JsonLines,
}

impl TableFormat {
    /// Tells the format of a file from its extension; `None` for files that are not tables.
    pub(crate) fn of(path: &FilePath) -> Option<Self> {
        Some(match path.extension().as_str() {
            "parquet" | "pq" | "parq" => Self::Parquet,
            "arrow" | "feather" | "ipc" => Self::Ipc,
            "csv" => Self::Csv { delimiter: b',' },
            "tsv" => Self::Csv { delimiter: b'\t' },
            "jsonl" | "ndjson" => Self::JsonLines,
            _ => return None,
        })
    }

    pub(crate) fn is_csv(self) -> bool {
        matches!(self, Self::Csv { .. })
    }

    /// Reports whether the types of the columns are those of all files of a table together.
    pub(crate) fn is_text(self) -> bool {
        self.is_csv() || self == Self::JsonLines
    }
}

/// Tells the media type of a file from its extension.
pub(crate) fn media_type(path: &FilePath) -> &'static str {
    match path.extension().as_str() {
        "parquet" | "pq" | "parq" => "application/vnd.apache.parquet",
        "arrow" | "feather" | "ipc" => "application/vnd.apache.arrow.file",
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "json" => "application/json",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "yaml" | "yml" => "application/yaml",
        "xml" => "application/xml",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" => "text/html",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "tif" | "tiff" => "image/tiff",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "gz" => "application/gzip",
        "zst" => "application/zstd",
        "tar" => "application/x-tar",
        _ => "application/octet-stream",
    }
}

/// A table file that has been opened: its schema, and its rows as they are decoded.
struct OpenTable {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
}

/// The batches of a table file, in order. Blocks; ends after an error.
pub(crate) struct TableReader {
    table: OpenTable,
    source: Source,
    ended: bool,
}

impl TableReader {
    /// Opens a table file.
    ///
    /// `types` gives those of a text file's columns; the other formats bring their own. With
    /// `wanted`, batches hold only those columns, in file order.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mainstay_core::ErrorKind::Invalid) saying what was found when the bytes
    /// are not of the format, and the failures of the source.
    pub(crate) fn open(
        source: Source,
        format: TableFormat,
        types: &TextTypes,
        wanted: Option<&[String]>,
    ) -> Result<Self> {
        Self::open_where(source, format, types, wanted, None)
    }

    /// Opens a table file to read the rows that `filter` is true of, and maybe others.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_where(
        source: Source,
        format: TableFormat,
        types: &TextTypes,
        wanted: Option<&[String]>,
        filter: Option<&Predicate>,
    ) -> Result<Self> {
        let table = guarded(&source, || match format {
            TableFormat::Parquet => parquet::open(&source, wanted, filter),
            TableFormat::Ipc => ipc::open(&source, wanted),
            TableFormat::Csv { delimiter } => csv::open(&source, delimiter, &types.csv, wanted),
            TableFormat::JsonLines => Ok(jsonl::open(&source, &types.json, wanted)),
        })?;
        Ok(Self {
            table,
            source,
            ended: false,
        })
    }

    /// Reads the rows of `ranges`, which rise and do not overlap, of an opened Parquet file: of one
    /// column, or of all. Only the pages that they are in are read.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_rows(
        file: &ParquetRows,
        column: Option<&str>,
        ranges: &[Range<u64>],
    ) -> Result<Self> {
        let source = file.source();
        Ok(Self {
            table: guarded(source, || file.read(column, ranges))?,
            source: source.clone(),
            ended: false,
        })
    }

    /// Returns the schema of the file, of all its columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.table.schema
    }
}

impl Iterator for TableReader {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batches = &mut self.table.batches;
        let item = guarded(&self.source, || batches.next().transpose()).transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

/// Tells where a table file is best cut to be stored; `None` when its content says it as well.
///
/// Blocks. What is wrong with a file is of no interest here: any bytes can be cut anywhere.
pub(crate) fn layout(source: &Source, format: TableFormat) -> Option<Layout> {
    match format {
        TableFormat::Parquet => guarded(source, || Ok(parquet::layout(source))).ok()?,
        TableFormat::Ipc | TableFormat::Csv { .. } | TableFormat::JsonLines => None,
    }
}

/// Tells how an Arrow IPC file is compressed, as its first batch is; `None` where it is not.
///
/// # Errors
/// As [`TableReader::open`].
pub(crate) fn ipc_compression(source: &Source) -> Result<Option<CompressionType>> {
    guarded(source, || ipc::compression(source))
}

/// Opens a Parquet file to find its pages and to read some of its rows.
///
/// # Errors
/// As [`TableReader::open`].
pub(crate) fn parquet_rows(source: &Source) -> Result<ParquetRows> {
    guarded(source, || ParquetRows::open(source))
}

/// Tells where the pages of a Parquet file are; `None` when its index does not say.
pub(crate) fn parquet_pages(file: &ParquetRows) -> Option<Vec<LeafPages>> {
    guarded(file.source(), || Ok(file.pages())).ok()?
}

/// Counts the bytes of a Parquet file's pages that are in none of these chunks; `None` when it cannot be told.
pub(crate) fn unshared_bytes(source: &Source, held: &BTreeSet<BulkDigest>) -> Option<u64> {
    guarded(source, || Ok(parquet::unshared_bytes(source, held))).ok()?
}

/// Runs a decoder so that neither its panics nor its rewording of our own errors reach the caller.
///
/// The decoders are not free of panics on hostile bytes. Such a decoder is not used again. The
/// process's panic hook still sees the panic, and in a build that aborts on panic it still aborts.
fn guarded<T>(source: &Source, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    let outcome = catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(Error::invalid("malformed: the decoder gave up")));
    outcome.map_err(|error| source.take_failure().unwrap_or(error))
}
