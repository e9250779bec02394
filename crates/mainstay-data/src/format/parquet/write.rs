//! Writing rows as Parquet, by one fixed profile.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use mainstay_core::{Error, ErrorKind, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{
    CdcOptions, EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::schema::types::ColumnPath;

use crate::digest::{Profile, TableDigests, TableHasher};
use crate::format::{TableFormat, TableReader, TextTypes};
use crate::pieces::Pieces;
use crate::source::Source;
use crate::spool::{Spool, Spooled};
use crate::value_bytes;

/// The number of the writer profile.
pub(crate) const PROFILE: u64 = 3;
/// How many rows a row group has.
const GROUP_ROWS: usize = 1024 * 1024;
/// How many bytes the values of a row group take where it ends before.
const GROUP_BYTES: u64 = 256 * 1024 * 1024;

/// Encodes batches of one schema as one Parquet file by the writer profile of
/// `docs/formats/data-snapshot.md`. How the rows are cut into batches leaves no trace.
///
/// The file is decoded again and its digests compared with those of the batches, so that what cannot
/// be stored as it is, is refused. Blocks; memory is bounded by a row group, encoded, whose values take 256 MiB,
/// a piece of them, the batch, and one row.
///
/// # Errors
/// Those of the batches; [`ErrorKind::Invalid`] when there are none and when they differ in schema;
/// [`ErrorKind::Unsupported`] when Parquet does not hold them.
pub(crate) fn encode(batches: impl Iterator<Item = Result<RecordBatch>>) -> Result<Spooled> {
    let encoder = fill(batches)?.ok_or_else(|| Error::invalid("no batches"))?;
    encoder.finish()
}

/// Encodes the rows of a table as [`encode`] does; `schema` is that of a table without any.
pub(crate) fn encode_table(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<Spooled> {
    let encoder = match fill(batches)? {
        Some(encoder) => encoder,
        None => Encoder::new(SchemaRef::clone(schema))?,
    };
    encoder.finish()
}

/// Encodes one batch as [`encode`] does, but for the columns `numbers` of integers, of which each is stored
/// as what it has more than the one before.
pub(crate) fn encode_numbered(batch: &RecordBatch, numbers: &[&str]) -> Result<Spooled> {
    let schema = batch.schema();
    let properties = numbers.iter().fold(profile(&schema)?, |properties, name| {
        let column = ColumnPath::from(*name);
        properties
            .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED)
            .set_column_statistics_enabled(column, EnabledStatistics::None)
    });
    let mut encoder = Encoder::with(schema, properties.build())?;
    encoder.write(batch)?;
    encoder.finish()
}

fn fill(batches: impl Iterator<Item = Result<RecordBatch>>) -> Result<Option<Encoder>> {
    let mut encoder: Option<Encoder> = None;
    for batch in batches {
        let batch = batch?;
        let encoder = match &mut encoder {
            Some(encoder) => encoder,
            None => encoder.insert(Encoder::new(batch.schema())?),
        };
        encoder.write(&batch)?;
    }
    Ok(encoder)
}

struct Encoder {
    schema: SchemaRef,
    pieces: Pieces,
    writer: ArrowWriter<Spool>,
    group: Group,
    /// [`GROUP_BYTES`], but in tests.
    group_bytes: u64,
    given: TableHasher,
}

/// What the row group that is written has.
#[derive(Default)]
struct Group {
    rows: usize,
    bytes: u64,
}

impl Group {
    fn add(&mut self, piece: &RecordBatch) {
        self.rows += piece.num_rows();
        self.bytes += value_bytes::of_rows(piece, 0..piece.num_rows());
    }
}

impl Encoder {
    fn new(schema: SchemaRef) -> Result<Self> {
        let properties = profile(&schema)?.build();
        Self::with(schema, properties)
    }

    fn with(schema: SchemaRef, properties: WriterProperties) -> Result<Self> {
        let writer = guarded(|| {
            ArrowWriter::try_new(Spool::new(), SchemaRef::clone(&schema), Some(properties))
        })?;
        Ok(Self {
            given: TableHasher::new(&schema, Profile::Strict)?,
            pieces: Pieces::new(SchemaRef::clone(&schema)),
            schema,
            writer,
            group: Group::default(),
            group_bytes: GROUP_BYTES,
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.schema() != self.schema {
            return Err(Error::invalid("batches of different schemas")
                .context("first", &self.schema)
                .context("other", batch.schema()));
        }
        self.given.update(batch)?;
        self.pieces.push(batch.clone());
        while let Some(piece) = self.pieces.next_whole()? {
            self.write_piece(&piece)?;
        }
        Ok(())
    }

    fn write_piece(&mut self, piece: &RecordBatch) -> Result<()> {
        guarded(|| self.writer.write(piece))?;
        self.group.add(piece);
        if self.group.rows >= GROUP_ROWS || self.group.bytes >= self.group_bytes {
            guarded(|| self.writer.flush())?;
            self.group = Group::default();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Spooled> {
        if let Some(piece) = self.pieces.rest()? {
            self.write_piece(&piece)?;
        }
        let spooled = guarded(|| self.writer.into_inner())?.finish()?;
        let given = self.given.finish()?;
        verify(spooled.open()?, &self.schema, &given)?;
        Ok(spooled)
    }
}

/// The encoder is not free of panics on rare types.
fn guarded<T>(encode: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    let encoded = catch_unwind(AssertUnwindSafe(encode));
    encoded
        .map_err(|_| unsupported("the encoder gave up"))?
        .map_err(unencodable)
}

/// Checks that a file says what was given.
fn verify(stored: Source, schema: &Schema, given: &TableDigests) -> Result<()> {
    let reader = TableReader::open(stored, TableFormat::Parquet, &TextTypes::default(), None)
        .map_err(unreadable)?;
    let mut hasher = TableHasher::new(reader.schema(), Profile::Strict)?;
    for batch in reader {
        hasher.update(&batch.map_err(unreadable)?)?;
    }
    let stored = hasher.finish()?;
    if stored.table == given.table {
        return Ok(());
    }
    let pairs = stored.columns.iter().zip(&given.columns);
    let changed = pairs.zip(schema.fields()).find(|((a, b), _)| a != b);
    let column = changed.map_or("", |(_, field)| field.name());
    Err(unsupported("not the same rows when they are read again")
        .context("column", column.escape_debug()))
}

/// Pages end where their values say, so that rows put in or taken out change the pages they are in and
/// no others. In a table of a million rows with ten insertions, 64 and 256 KiB stored 3 times less anew
/// than the 256 and 1,024 KiB that the encoder suggests, for 0.7 % more bytes.
const PAGES: CdcOptions = CdcOptions {
    min_chunk_size: 64 * 1024,
    max_chunk_size: 256 * 1024,
    norm_level: 0,
};

fn profile(schema: &Schema) -> Result<WriterPropertiesBuilder> {
    let level = ZstdLevel::try_new(3).map_err(unencodable)?;
    let mut fields = schema.fields().iter();
    let looked_into = fields.all(|field| looks_into(field.data_type()));
    Ok(WriterProperties::builder()
        .set_content_defined_chunking(looked_into.then_some(PAGES))
        .set_created_by(format!("mainstay-data writer profile {PROFILE}"))
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_data_page_size_limit(1024 * 1024)
        .set_data_page_row_count_limit(usize::MAX)
        .set_max_row_group_row_count(None))
}

/// Reports whether the encoder finds pages by content in such values: not in runs, and in list views it
/// goes wrong.
fn looks_into(data_type: &DataType) -> bool {
    match data_type {
        DataType::RunEndEncoded(..) | DataType::ListView(_) | DataType::LargeListView(_) => false,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => looks_into(item.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| looks_into(field.data_type())),
        _ => true,
    }
}

fn unencodable(error: ParquetError) -> Error {
    unsupported("refused by the encoder").with_source(error)
}

fn unreadable(error: Error) -> Error {
    unsupported("they cannot be read again").with_source(error)
}

fn unsupported(why: &str) -> Error {
    let message = format!("cannot store these rows as Parquet: {why}");
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests;
