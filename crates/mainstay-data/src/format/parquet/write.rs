//! Writing rows in memory as Parquet, by one fixed profile.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

/// Rows are handed to the encoder in pieces of this size, because it may cut pages where they end.
const PIECE_ROWS: usize = 8_192;

/// Encodes `batches` as one Parquet file by the writer profile of
/// `docs/formats/data-snapshot.md`. How the rows are cut into batches leaves no trace.
///
/// # Errors
/// [`ErrorKind::Invalid`] when the batches differ in schema; [`ErrorKind::Unsupported`] when Parquet
/// cannot hold a type.
pub(crate) fn encode(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Bytes> {
    if let Some(other) = batches.iter().find(|batch| batch.schema() != *schema) {
        return Err(Error::invalid("batches of different schemas")
            .context("first", schema)
            .context("other", other.schema()));
    }
    let mut writer =
        ArrowWriter::try_new(Vec::new(), SchemaRef::clone(schema), Some(properties()?))
            .map_err(unencodable)?;
    let mut pieces = Pieces::new(batches);
    while let Some(piece) = pieces.next(schema)? {
        writer.write(&piece).map_err(unencodable)?;
    }
    writer.into_inner().map(Bytes::from).map_err(unencodable)
}

fn properties() -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(3).map_err(unencodable)?;
    Ok(WriterProperties::builder()
        .set_created_by("mainstay-data writer profile 1".to_owned())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_size_limit(1024 * 1024)
        .set_data_page_row_count_limit(usize::MAX)
        .set_max_row_group_row_count(Some(1024 * 1024))
        .build())
}

fn unencodable(error: ParquetError) -> Error {
    let kind = match error {
        ParquetError::NYI(_) | ParquetError::ArrowError(_) => ErrorKind::Unsupported,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, "cannot store these rows as Parquet").with_source(error)
}

/// Cuts a sequence of batches into pieces of [`PIECE_ROWS`] rows, only the last one shorter.
struct Pieces<'a> {
    batches: &'a [RecordBatch],
    /// Rows of the first batch already handed out.
    used: usize,
}

impl<'a> Pieces<'a> {
    fn new(batches: &'a [RecordBatch]) -> Self {
        Self { batches, used: 0 }
    }

    fn next(&mut self, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        let mut parts = Vec::new();
        let mut missing = PIECE_ROWS;
        while missing > 0
            && let Some(batch) = self.batches.first()
        {
            let rows = missing.min(batch.num_rows() - self.used);
            parts.push(batch.slice(self.used, rows));
            missing -= rows;
            self.used += rows;
            if self.used == batch.num_rows() {
                self.batches = &self.batches[1..];
                self.used = 0;
            }
        }
        if missing == PIECE_ROWS {
            return Ok(None);
        }
        concat_batches(schema, &parts).map(Some).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "cannot join batches of these types")
                .with_source(error)
        })
    }
}
