//! Reading Arrow IPC files.
//!
//! Every length in the file is compared with the file before the decoder sees it, because the decoder
//! reserves what is claimed.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{
    Block, CompressionType, FieldNode, Footer, Message, root_as_footer, root_as_message,
};
use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};

use super::OpenTable;
use crate::source::Source;

const MAGIC: &[u8] = b"ARROW1\0\0";
/// The length of the footer and the magic at the end.
const TRAILER_BYTES: usize = 10;
/// The largest footer that is read.
const MAX_FOOTER_BYTES: usize = 256 * 1024 * 1024;
/// The largest buffer that is decompressed.
const MAX_BUFFER_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The most bytes that a compressed byte stands for, and the most slots.
const MAX_RATIO: u64 = 1 << 16;
/// How many slots a batch may have whatever its size: null columns take no bytes.
const FREE_SLOTS: u64 = 1 << 24;

/// Opens an Arrow IPC file; reads only the columns in `wanted`, in file order, when given.
pub(super) fn open(source: &Source, wanted: Option<&[String]>) -> Result<OpenTable> {
    let footer_bytes = read_footer(source)?;
    let footer = root_as_footer(&footer_bytes)
        .map_err(|error| malformed("the footer is malformed", &error))?;
    let schema = read_schema(&footer)?;
    let mut decoder = FileDecoder::new(Arc::clone(&schema), footer.version());
    if let Some(wanted) = wanted {
        let fields = schema.fields().iter().enumerate();
        let chosen = fields
            .filter(|(_, field)| wanted.contains(field.name()))
            .map(|(index, _)| index);
        decoder = decoder.with_projection(chosen.collect());
    }
    for block in footer.dictionaries().into_iter().flatten() {
        let bytes = read_block(source, block)?;
        decoder
            .read_dictionary(block, &bytes)
            .map_err(undecodable)?;
    }
    let blocks: Vec<Block> = footer
        .recordBatches()
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let source = source.clone();
    let batches = blocks
        .into_iter()
        .filter_map(move |block| read_batch(&source, &decoder, &block).transpose());
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
    let bytes = read_block(source, block)?;
    let length = usize::try_from(block.metaDataLength()).unwrap_or(bytes.len());
    let message = read_message(bytes.get(..length).unwrap_or(bytes.as_slice()))?;
    let batch = message.header_as_record_batch();
    Ok(batch.and_then(|batch| Some(batch.compression()?.codec())))
}

fn read_footer(source: &Source) -> Result<Bytes> {
    let size = source.size();
    let smallest = MAGIC.len() + TRAILER_BYTES;
    if size < smallest as u64 {
        return Err(not_ipc(&format!("found {size} bytes")));
    }
    let head = source.read_at(0, MAGIC.len())?;
    if !head.starts_with(b"ARROW1") {
        return Err(not_ipc(match &head[..4] {
            [0xff, 0xff, 0xff, 0xff] => "found an Arrow IPC stream, which has no footer",
            b"FEA1" => "found a Feather V1 file",
            b"PAR1" => "found a Parquet file",
            _ => "it does not begin with ARROW1",
        }));
    }
    let mut trailer = [0; TRAILER_BYTES];
    trailer.copy_from_slice(&source.read_at(size - TRAILER_BYTES as u64, TRAILER_BYTES)?);
    let length = read_footer_length(trailer)
        .map_err(|error| not_ipc("no footer at the end").with_source(error))?;
    if length as u64 > size - smallest as u64 || length > MAX_FOOTER_BYTES {
        return Err(not_ipc(&format!(
            "the footer claims {length} bytes of a file of {size}"
        )));
    }
    Ok(source.read_at(size - (TRAILER_BYTES + length) as u64, length)?)
}

fn read_schema(footer: &Footer<'_>) -> Result<SchemaRef> {
    let schema = footer
        .schema()
        .ok_or_else(|| not_ipc("the footer has no schema"))?;
    if !schema.endianness().equals_to_target_endianness() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "an Arrow IPC file of the other byte order",
        ));
    }
    try_fb_to_schema(schema).map(Arc::new).map_err(undecodable)
}

fn read_batch(
    source: &Source,
    decoder: &FileDecoder,
    block: &Block,
) -> Result<Option<RecordBatch>> {
    let bytes = read_block(source, block)?;
    decoder
        .read_record_batch(block, &bytes)
        .map_err(undecodable)
}

/// Reads the message and body of a block and checks every length in them.
fn read_block(source: &Source, block: &Block) -> Result<Buffer> {
    let length = |number: i64| u64::try_from(number).ok();
    let ends = (|| {
        let offset = length(block.offset())?;
        let message = length(block.metaDataLength().into())?;
        let whole = message.checked_add(length(block.bodyLength())?)?;
        (offset.checked_add(whole)? <= source.size()).then_some((offset, message, whole))
    })();
    let malformed = || not_ipc("a block lies outside the file");
    let (offset, message, whole) = ends.ok_or_else(malformed)?;
    let whole = usize::try_from(whole).map_err(|_| malformed())?;
    let bytes = source.read_at(offset, whole)?;
    // At most `whole`, which is a usize.
    let (message, body) = bytes.split_at(usize::try_from(message).unwrap_or(whole));
    check_message(message, body)?;
    Ok(Buffer::from(bytes))
}

fn read_message(bytes: &[u8]) -> Result<Message<'_>> {
    let start = match bytes {
        [0xff, 0xff, 0xff, 0xff, _, _, _, _, ..] => 8,
        [_, _, _, _, ..] => 4,
        _ => return Err(not_ipc("a message is cut short")),
    };
    root_as_message(&bytes[start..]).map_err(|error| malformed("a message is malformed", &error))
}

fn check_message(message: &[u8], body: &[u8]) -> Result<()> {
    let message = read_message(message)?;
    let batch = message
        .header_as_record_batch()
        .or_else(|| message.header_as_dictionary_batch()?.data());
    let Some(batch) = batch else {
        // The decoder says what it found instead.
        return Ok(());
    };
    let slots = (body.len() as u64)
        .saturating_mul(MAX_RATIO)
        .max(FREE_SLOTS);
    let claims = batch.nodes().into_iter().flatten().map(FieldNode::length);
    for claim in claims.chain([batch.length()]) {
        if u64::try_from(claim).map_or(true, |claim| claim > slots) {
            return Err(not_ipc(&format!(
                "a batch claims {claim} slots in {} bytes",
                body.len()
            )));
        }
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let range = usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(offset, length)| body.get(offset..offset.checked_add(length)?));
        let bytes = range.ok_or_else(|| not_ipc("a buffer lies outside its block"))?;
        if batch.compression().is_some() {
            check_decompressed(bytes)?;
        }
    }
    Ok(())
}

/// Checks the uncompressed length in front of a compressed buffer; -1 means not compressed.
fn check_decompressed(bytes: &[u8]) -> Result<()> {
    let Some(prefix) = bytes.first_chunk::<8>() else {
        return if bytes.is_empty() {
            Ok(())
        } else {
            Err(not_ipc("a compressed buffer is cut short"))
        };
    };
    let claim = i64::from_le_bytes(*prefix);
    let most = (bytes.len() as u64)
        .saturating_mul(MAX_RATIO)
        .min(MAX_BUFFER_BYTES);
    if claim == -1 || u64::try_from(claim).is_ok_and(|claim| claim <= most) {
        Ok(())
    } else {
        Err(not_ipc(&format!(
            "a buffer of {} bytes claims to hold {claim}",
            bytes.len()
        )))
    }
}

fn not_ipc(found: &str) -> Error {
    Error::invalid(format!("not an Arrow IPC file: {found}"))
}

/// Flatbuffers' own error implements `Error` only in some builds; arrow's carries its text.
fn malformed(found: &str, cause: &dyn std::fmt::Debug) -> Error {
    not_ipc(found).with_source(ArrowError::ParseError(format!("{cause:?}")))
}

fn undecodable(error: ArrowError) -> Error {
    let kind = match error {
        ArrowError::NotYetImplemented(_) => ErrorKind::Unsupported,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, "cannot decode the Arrow IPC file").with_source(error)
}
