//! Parquet out of stored bytes, for asynchronous readers.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt as _};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::Error;
use mainstay_repo::Blob;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::format::parquet::{Claims, Window, footer, index, with_index};

/// How many bytes at the end are read at once for the footer; one chunk at most of most files.
const FOOTER_BYTES: u64 = 64 * 1024;
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
/// tables of any format or several files.
///
/// A file that was not a table file when it was stored may hold anything. What its footer, the index of its
/// pages and their headers claim is checked before the decoder sees it, where the reader loads the footer
/// itself. Refused are a schema deeper than 128, a column chunk outside of the file or that overlaps another, a
/// page that claims to hold more than 256 MiB and more than 64 times its bytes, and pages that together claim
/// more than four times what the footer says of them. An index that claims what cannot be is not used.
/// How large batches become is left to you: many rows may refer to one long value of a dictionary, so choose
/// few rows for files you do not trust.
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
    /// In file order, once the footer was read.
    claims: Option<Arc<Vec<Claims>>>,
}

impl ParquetBlobReader {
    /// Reads a stored file, which [`Datasets::file`](crate::Datasets::file) opens.
    #[must_use]
    pub fn new(blob: Blob) -> Self {
        Self { blob, claims: None }
    }

    /// Reads the end of the file: all of the footer, and more.
    async fn footer(&self) -> Result<Window> {
        let size = self.blob.size();
        let start = size.saturating_sub(FOOTER_BYTES);
        let tail = Self::read(&self.blob, start..size).await?;
        let length = footer::length(size, &tail[tail.len().saturating_sub(8)..]);
        let start = size - 8 - length.map_err(external)?;
        let held = Window::new(size, size - tail.len() as u64, tail);
        let held = if held.get(&(start..size)).is_some() {
            held
        } else {
            Window::new(size, start, Self::read(&self.blob, start..size).await?)
        };
        let read = |range| {
            held.get(&range)
                .ok_or_else(|| Error::invalid("a footer cut short"))
        };
        footer::check(size, read).map_err(external)?;
        Ok(held)
    }

    /// Looks at the pages that a range begins with, if it lies in a column chunk.
    fn check(&self, range: &Range<u64>, bytes: &[u8]) -> Result<()> {
        let claims = self.claims.as_deref().map_or(&[][..], Vec::as_slice);
        Claims::check_all(claims, range.start, bytes)
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
        async move {
            let bytes = Self::read(&self.blob, range.clone()).await?;
            self.check(&range, &bytes)?;
            Ok(bytes)
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        let blob = self.blob.clone();
        async move {
            let spans = coalesce(&ranges);
            let read = stream::iter(spans.clone()).map(|span| Self::read(&blob, span));
            let read: Vec<Bytes> = read.buffered(PARALLEL_RANGES).try_collect().await?;
            let ranges = ranges.into_iter().map(|range| {
                let bytes = cut(&spans, &read, &range)?;
                self.check(&range, &bytes)?;
                Ok(bytes)
            });
            ranges.collect()
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let held = self.footer().await?;
            let mut reader = ParquetMetaDataReader::new();
            let mut policies = (PageIndexPolicy::Skip, PageIndexPolicy::Skip);
            if let Some(options) = options {
                reader = reader.with_metadata_options(Some(options.metadata_options().clone()));
                policies = (options.column_index_policy(), options.offset_index_policy());
            }
            let mut metadata = reader.parse_and_finish(&held)?;
            footer::check_claims(&metadata, self.blob.size()).map_err(external)?;
            let is_wanted = policies != (PageIndexPolicy::Skip, PageIndexPolicy::Skip);
            if is_wanted && let Some(range) = index::range(&metadata, self.blob.size()) {
                let held = if held.get(&range).is_some() {
                    held
                } else {
                    let bytes = Self::read(&self.blob, range.clone()).await?;
                    Window::new(self.blob.size(), range.start, bytes)
                };
                metadata = with_index(metadata, &held, policies)?;
            } else if policies.0 == PageIndexPolicy::Required
                || policies.1 == PageIndexPolicy::Required
            {
                return Err(ParquetError::General(
                    "a file without an index of its pages".into(),
                ));
            }
            let claims = Claims::of_groups(&metadata, 0..metadata.num_row_groups())?;
            self.claims = Some(Arc::new(claims));
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
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
