//! Parquet out of stored bytes, for asynchronous readers.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_repo::Blob;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// How many bytes at the end are read at once for the footer; one chunk at most of most files.
const FOOTER_BYTES: usize = 64 * 1024;
/// How many ranges are read at a time.
const PARALLEL_RANGES: usize = 8;
/// Ranges with a smaller gap between them are read as one.
const COALESCE_BYTES: u64 = 16 * 1024;

/// Reads a stored Parquet file in parts, as `ParquetObjectReader` does of an object store: what
/// [`ParquetRecordBatchStreamBuilder`](parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder)
/// takes, so that a projection, row groups, a row selection or a filter read only the pages they need.
///
/// Compressed Parquet is stored cut at its pages, so that no byte beyond the pages asked for is fetched,
/// but for small pages that share a chunk. Bytes are verified; a wrong one is an error that says so.
///
/// The bytes of a file are those that were stored. Use [`Datasets::read`](crate::Datasets::read) for
/// tables of any format, several files, or files you do not trust: it refuses what would exhaust memory.
///
/// ```
/// # use std::sync::Arc;
/// # use mainstay_core::Actor;
/// # use mainstay_data::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// # use mainstay_data::{Datasets, SnapshotSpec};
/// # use mainstay_repo::{Repo, RepoOptions};
/// # use mainstay_store::MemoryStorage;
/// use futures::TryStreamExt as _;
/// use mainstay_data::ParquetBlobReader;
/// use mainstay_data::parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};
///
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// # let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
/// # let datasets = Datasets::new(repo);
/// # let species: ArrayRef = Arc::new(StringArray::from(vec!["Adelie", "Gentoo"]));
/// # let mass: ArrayRef = Arc::new(Float64Array::from(vec![3750.0, 5000.0]));
/// # let batch = RecordBatch::try_from_iter([("species", species), ("mass", mass)])?;
/// # let spec = SnapshotSpec::new("penguins".parse()?, Actor::new("ada")?, "first season")
/// #     .with_batches("penguins.parquet".parse()?, vec![batch]);
/// # let node = datasets.snapshot(spec).await?.node;
/// let file = datasets.files(&node).await?.try_next().await?.unwrap();
/// let reader = ParquetBlobReader::new(datasets.file(&file).await?);
/// let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
/// let mass = ProjectionMask::columns(builder.parquet_schema(), ["mass"]);
/// let batches: Vec<_> = builder.with_projection(mass).build()?.try_collect().await?;
/// assert_eq!((batches[0].num_rows(), batches[0].num_columns()), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct ParquetBlobReader {
    blob: Blob,
}

impl ParquetBlobReader {
    /// Reads a stored file, which [`Datasets::file`](crate::Datasets::file) opens.
    #[must_use]
    pub fn new(blob: Blob) -> Self {
        Self { blob }
    }

    async fn read(blob: &Blob, range: Range<u64>) -> Result<Bytes> {
        if range.start > range.end || range.end > blob.size() {
            return Err(ParquetError::EOF(format!(
                "bytes {} to {} of {}",
                range.start,
                range.end,
                blob.size()
            )));
        }
        let bytes = blob.range(range).await;
        bytes.map_err(|error| ParquetError::External(Box::new(error)))
    }
}

impl AsyncFileReader for ParquetBlobReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        Self::read(&self.blob, range).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        let blob = self.blob.clone();
        async move {
            let spans = coalesce(&ranges);
            let read = stream::iter(spans.clone()).map(|span| Self::read(&blob, span));
            let read: Vec<Bytes> = read.buffered(PARALLEL_RANGES).try_collect().await?;
            ranges
                .into_iter()
                .map(|range| cut(&spans, &read, &range))
                .collect()
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let mut reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FOOTER_BYTES));
            if let Some(options) = options {
                reader = reader
                    .with_metadata_options(Some(options.metadata_options().clone()))
                    .with_column_index_policy(options.column_index_policy())
                    .with_offset_index_policy(options.offset_index_policy());
            }
            let size = self.blob.size();
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}

/// Joins ranges that lie near each other, so that a chunk is read once.
fn coalesce(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| range.start);
    let mut spans: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match spans.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(COALESCE_BYTES) => {
                last.end = last.end.max(range.end);
            }
            _ => spans.push(range),
        }
    }
    spans
}

/// Finds a range in the spans that were read, one of which holds it.
fn cut(spans: &[Range<u64>], read: &[Bytes], range: &Range<u64>) -> Result<Bytes> {
    let after = spans.partition_point(|span| span.start <= range.start);
    let index = after.checked_sub(1);
    let found = index.and_then(|index| {
        let start = usize::try_from(range.start - spans[index].start).ok()?;
        let end = start.checked_add(usize::try_from(range.end.checked_sub(range.start)?).ok()?)?;
        (end <= read[index].len()).then(|| read[index].slice(start..end))
    });
    found.ok_or_else(|| ParquetError::EOF(format!("bytes {} to {}", range.start, range.end)))
}
