//! Footers and messages, every length in which is compared with the file before a decoder sees it, because the
//! decoder reserves what is claimed.

use std::ops::Range;
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::read_footer_length;
use arrow::ipc::{Block, FieldNode, Footer, Message, RecordBatch, root_as_message};
use bytes::Bytes;
use mainstay_core::{Error, ErrorKind, Result};

use crate::source::Source;

const MAGIC: &[u8] = b"ARROW1\0\0";
/// The length of the footer and the magic at the end.
const TRAILER_BYTES: usize = 10;
/// The largest footer that is read, and the largest message.
const MAX_FOOTER_BYTES: usize = 256 * 1024 * 1024;
/// The largest buffer that is decompressed.
const MAX_BUFFER_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The most bytes that a compressed byte stands for, and the most slots.
const MAX_RATIO: u64 = 1 << 16;
/// How many slots a batch may have whatever its size: null columns take no bytes.
const FREE_SLOTS: u64 = 1 << 24;

pub(super) fn read_footer(source: &Source) -> Result<Bytes> {
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

pub(super) fn read_schema(footer: &Footer<'_>) -> Result<SchemaRef> {
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

/// Where a block lies in the file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) message: Range<u64>,
    pub(super) body: Range<u64>,
}

impl Place {
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) when it is not in the file, or has too long a message.
    pub(super) fn of(block: &Block, source: &Source) -> Result<Self> {
        let length = |number: i64| u64::try_from(number).ok();
        let ends = (|| {
            let offset = length(block.offset())?;
            let message = offset.checked_add(length(block.metaDataLength().into())?)?;
            let body = message.checked_add(length(block.bodyLength())?)?;
            let is_short = message - offset <= MAX_FOOTER_BYTES as u64;
            (body <= source.size() && is_short).then_some((offset, message, body))
        })();
        let (offset, message, body) =
            ends.ok_or_else(|| not_ipc("a block lies outside the file"))?;
        Ok(Self {
            message: offset..message,
            body: message..body,
        })
    }
}

/// Reads the message and body of a block, whose lengths were checked.
pub(super) fn read_block(source: &Source, place: &Place) -> Result<Buffer> {
    let whole = place.message.start..place.body.end;
    Ok(Buffer::from(source.read_range(whole)?))
}

pub(super) fn read_message(bytes: &[u8]) -> Result<Message<'_>> {
    let start = match bytes {
        [0xff, 0xff, 0xff, 0xff, _, _, _, _, ..] => 8,
        [_, _, _, _, ..] => 4,
        _ => return Err(not_ipc("a message is cut short")),
    };
    root_as_message(&bytes[start..]).map_err(|error| malformed("a message is malformed", &error))
}

/// Checks a message of a batch or a dictionary, and returns how many bytes its buffers hold, decompressed; any
/// other is the decoder's to refuse.
pub(super) fn check_message(source: &Source, place: &Place, message: &[u8]) -> Result<u64> {
    let message = read_message(message)?;
    let batch = message
        .header_as_record_batch()
        .or_else(|| message.header_as_dictionary_batch()?.data());
    let Some(batch) = batch else {
        return Ok(0);
    };
    let body = place.body.end - place.body.start;
    let slots = body.saturating_mul(MAX_RATIO).max(FREE_SLOTS);
    let lengths = batch.nodes().into_iter().flatten().map(FieldNode::length);
    for claim in lengths.chain([batch.length()]) {
        if u64::try_from(claim).map_or(true, |claim| claim > slots) {
            return Err(not_ipc(&format!(
                "a batch claims {claim} slots in {body} bytes"
            )));
        }
    }
    let mut bytes = 0_u64;
    for range in buffers(&batch, place)? {
        let holds = match batch.compression() {
            Some(_) => held(source, &range)?.holds,
            None => range.end - range.start,
        };
        bytes = bytes.saturating_add(holds);
    }
    Ok(bytes)
}

/// Returns where the buffers of a batch lie in the file.
pub(super) fn buffers(batch: &RecordBatch<'_>, place: &Place) -> Result<Vec<Range<u64>>> {
    let buffers = batch.buffers().into_iter().flatten();
    buffers
        .map(|buffer| {
            let length = |number: i64| u64::try_from(number).ok();
            let range = length(buffer.offset())
                .and_then(|offset| place.body.start.checked_add(offset))
                .zip(length(buffer.length()))
                .and_then(|(start, length)| Some(start..start.checked_add(length)?));
            range
                .filter(|range| range.end <= place.body.end)
                .ok_or_else(|| not_ipc("a buffer lies outside its block"))
        })
        .collect()
}

/// A buffer of a compressed batch.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// Without the length in front.
    pub(super) bytes: Range<u64>,
    /// How many bytes it holds.
    pub(super) holds: u64,
    /// Whether it is compressed: each buffer decides.
    pub(super) is_compressed: bool,
}

/// Reads and checks the uncompressed length in front of a compressed buffer; -1 means not compressed.
pub(super) fn held(source: &Source, range: &Range<u64>) -> Result<Held> {
    let length = range.end - range.start;
    if length == 0 {
        return Ok(Held {
            bytes: range.clone(),
            holds: 0,
            is_compressed: false,
        });
    }
    let bytes = range.start + 8..range.end;
    if bytes.start > bytes.end {
        return Err(not_ipc("a compressed buffer is cut short"));
    }
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&source.read_at(range.start, 8)?);
    let claim = i64::from_le_bytes(prefix);
    let most = length.saturating_mul(MAX_RATIO).min(MAX_BUFFER_BYTES);
    match u64::try_from(claim) {
        _ if claim == -1 => Ok(Held {
            holds: bytes.end - bytes.start,
            bytes,
            is_compressed: false,
        }),
        Ok(holds) if holds <= most => Ok(Held {
            bytes,
            holds,
            is_compressed: true,
        }),
        _ => Err(not_ipc(&format!(
            "a buffer of {length} bytes claims to hold {claim}"
        ))),
    }
}

pub(super) fn not_ipc(found: &str) -> Error {
    Error::invalid(format!("not an Arrow IPC file: {found}"))
}

/// Flatbuffers' own error implements `Error` only in some builds; arrow's carries its text.
pub(super) fn malformed(found: &str, cause: &dyn std::fmt::Debug) -> Error {
    not_ipc(found).with_source(ArrowError::ParseError(format!("{cause:?}")))
}

pub(super) fn undecodable(error: ArrowError) -> Error {
    let kind = match error {
        ArrowError::NotYetImplemented(_) => ErrorKind::Unsupported,
        _ => ErrorKind::Invalid,
    };
    Error::new(kind, "cannot decode the Arrow IPC file").with_source(error)
}
