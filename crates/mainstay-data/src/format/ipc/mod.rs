//! Reading Arrow IPC files.
//!
//! A batch of the file that is large is cut into smaller ones, of which each is read by itself, so that memory is
//! bounded whatever the batches of the file are. Dictionaries are held whole.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileDecoder;
use arrow::ipc::{Block, CompressionType, root_as_footer};
use mainstay_core::Result;

use super::{BATCH_ROWS, OpenTable};
use crate::source::Source;

mod buffers;
mod cut;
mod large;
mod message;
#[cfg(test)]
mod tests;

use large::Large;
use message::{
    Place, check_message, malformed, read_block, read_footer, read_message, read_schema,
    undecodable,
};

/// How batches are handed on.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// A batch of the file with more bytes, decompressed, is cut before it is read.
    whole_bytes: u64,
    /// The most bytes of a cut, unless one row has more.
    cut_bytes: usize,
    rows: usize,
}

impl Limits {
    const DEFAULT: Self = Self {
        whole_bytes: 32 * 1024 * 1024,
        cut_bytes: 8 * 1024 * 1024,
        rows: BATCH_ROWS,
    };
}

/// Opens an Arrow IPC file; reads only the columns in `wanted`, in file order, when given.
pub(super) fn open(source: &Source, wanted: Option<&[String]>) -> Result<OpenTable> {
    open_with(source, wanted, Limits::DEFAULT)
}

fn open_with(source: &Source, wanted: Option<&[String]>, limits: Limits) -> Result<OpenTable> {
    let footer_bytes = read_footer(source)?;
    let footer = root_as_footer(&footer_bytes)
        .map_err(|error| malformed("the footer is malformed", &error))?;
    let schema = read_schema(&footer)?;
    let mut decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
    let fields = schema.fields().iter();
    let chosen = fields.map(|field| wanted.is_none_or(|wanted| wanted.contains(field.name())));
    let chosen: Vec<bool> = chosen.collect();
    if wanted.is_some() {
        let places = chosen.iter().enumerate().filter(|(_, chosen)| **chosen);
        decoder = decoder.with_projection(places.map(|(place, _)| place).collect());
    }
    for block in footer.dictionaries().into_iter().flatten() {
        let place = Place::of(block, source)?;
        let message = source.read_range(place.message.clone())?;
        check_message(source, &place, &message)?;
        decoder
            .read_dictionary(block, &read_block(source, &place)?)
            .map_err(undecodable)?;
    }
    let blocks = footer.recordBatches().into_iter().flatten().copied();
    let batches = Batches {
        blocks: blocks.collect::<Vec<_>>().into_iter(),
        source: source.clone(),
        schema: Arc::clone(&schema),
        decoder,
        chosen,
        limits,
        now: Now::Nothing,
    };
    Ok(OpenTable {
        schema,
        batches: Box::new(batches),
    })
}

/// Tells how the first batch is compressed; `None` where it is not, or there is none.
pub(super) fn compression(source: &Source) -> Result<Option<CompressionType>> {
    let footer_bytes = read_footer(source)?;
    let footer = root_as_footer(&footer_bytes)
        .map_err(|error| malformed("the footer is malformed", &error))?;
    let mut blocks = footer.recordBatches().into_iter().flatten();
    let Some(block) = blocks.next() else {
        return Ok(None);
    };
    let message = source.read_range(Place::of(block, source)?.message)?;
    let batch = read_message(&message)?.header_as_record_batch();
    Ok(batch.and_then(|batch| Some(batch.compression()?.codec())))
}

/// The rows of a file.
struct Batches {
    source: Source,
    schema: SchemaRef,
    decoder: FileDecoder,
    /// Which columns are read.
    chosen: Vec<bool>,
    limits: Limits,
    blocks: std::vec::IntoIter<Block>,
    now: Now,
}

/// The block whose rows come next.
enum Now {
    Nothing,
    /// What is left of a batch.
    Whole(RecordBatch),
    Large(Box<Large>),
}

impl Batches {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            match std::mem::replace(&mut self.now, Now::Nothing) {
                Now::Whole(batch) if batch.num_rows() > self.limits.rows => {
                    let (rows, all) = (self.limits.rows, batch.num_rows());
                    self.now = Now::Whole(batch.slice(rows, all - rows));
                    return Ok(Some(batch.slice(0, rows)));
                }
                Now::Whole(batch) => return Ok(Some(batch)),
                Now::Large(mut large) => {
                    if let Some((block, bytes)) =
                        large.next(&self.schema, &self.chosen, self.limits)?
                    {
                        self.now = Now::Large(large);
                        let batch = self.decoder.read_record_batch(&block, &bytes);
                        return batch.map_err(undecodable);
                    }
                }
                Now::Nothing => {
                    let Some(block) = self.blocks.next() else {
                        return Ok(None);
                    };
                    self.now = self.open(&block)?;
                }
            }
        }
    }

    fn open(&self, block: &Block) -> Result<Now> {
        let place = Place::of(block, &self.source)?;
        let message = self.source.read_range(place.message.clone())?;
        let bytes = check_message(&self.source, &place, &message)?;
        if bytes.max(place.body.end - place.body.start) > self.limits.whole_bytes
            && let Some(large) = Large::of(&self.source, &place, &message)?
        {
            return Ok(Now::Large(Box::new(large)));
        }
        let bytes = read_block(&self.source, &place)?;
        let batch = self.decoder.read_record_batch(block, &bytes);
        Ok(batch.map_err(undecodable)?.map_or(Now::Nothing, Now::Whole))
    }
}

/// Ends after an error.
impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.next_batch();
        if batch.is_err() {
            self.now = Now::Nothing;
            self.blocks = Vec::new().into_iter();
        }
        batch.transpose()
    }
}
