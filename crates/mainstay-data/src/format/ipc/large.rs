//! A batch of a file that is too large to be read whole: it is cut into smaller ones, each of which a decoder
//! reads as if the file had been written so.

use std::ops::Range;

use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::ipc::{
    Block, FieldNode, MessageBuilder, MessageHeader, MetadataVersion, RecordBatchBuilder,
};
use flatbuffers::FlatBufferBuilder;
use mainstay_core::{Error, Result};

use super::Limits;
use super::buffers::Buffers;
use super::cut::{Cut, Pieces, Stop};
use super::message::{Place, buffers, not_ipc, read_message};
use crate::source::Source;

/// What messages are aligned to.
const ALIGNMENT: usize = 64;

/// A batch that is read in parts.
pub(super) struct Large {
    pub(super) version: MetadataVersion,
    pub(super) nodes: Vec<Node>,
    pub(super) buffers: Buffers,
    /// Of each column of views, how many buffers it has beside.
    pub(super) variadic: Vec<usize>,
    /// The rows that come next.
    rows: Range<u64>,
    /// How many rows a cut has at most, where more were too many.
    at_once: u64,
    /// How many cuts are left until twice as many are tried.
    patience: u32,
}

/// How many cuts follow one that had too many rows until as many are tried again: what was read for it is read
/// twice.
const PATIENCE: u32 = 16;

/// A column, or what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) length: u64,
    pub(super) has_nulls: bool,
}

impl Large {
    /// Reads a message, which was checked; `None` when it is that of no batch.
    pub(super) fn of(source: &Source, place: &Place, message: &[u8]) -> Result<Option<Self>> {
        let message = read_message(message)?;
        let Some(batch) = message.header_as_record_batch() else {
            return Ok(None);
        };
        let codec = batch.compression().map(|compression| compression.codec());
        let length = |number: i64| {
            u64::try_from(number).map_err(|_| not_ipc("a batch claims a negative length"))
        };
        let nodes = batch.nodes().into_iter().flatten().map(|node| {
            Ok(Node {
                length: length(node.length())?,
                has_nulls: node.null_count() > 0,
            })
        });
        let variadic = batch.variadicBufferCounts().into_iter().flatten();
        let variadic = variadic.map(|count| {
            usize::try_from(count)
                .map_err(|_| not_ipc("a column claims a negative number of buffers"))
        });
        let rows = length(batch.length())?;
        Ok(Some(Self {
            version: message.version(),
            nodes: nodes.collect::<Result<_>>()?,
            buffers: Buffers::new(source, codec, buffers(&batch, place)?)?,
            variadic: variadic.collect::<Result<_>>()?,
            rows: 0..rows,
            at_once: u64::MAX,
            patience: 0,
        }))
    }

    /// Cuts off the next rows; `None` when there are none.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when columns refer to what is not there.
    pub(super) fn next(
        &mut self,
        schema: &SchemaRef,
        chosen: &[bool],
        limits: Limits,
    ) -> Result<Option<(Block, Buffer)>> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let left = self.rows.end - self.rows.start;
        if self.patience == 0 {
            (self.at_once, self.patience) = (self.at_once.saturating_mul(2), PATIENCE);
        }
        self.patience -= 1;
        let mut count = self.at_once.min(limits.rows as u64).min(left);
        loop {
            let rows = self.rows.start..self.rows.start + count;
            // A row that is larger than what is allowed is read nevertheless.
            let most = (count > 1).then_some(limits.cut_bytes);
            match Cut::of(self, schema, chosen, &rows, most) {
                Ok(pieces) => {
                    self.rows.start = rows.end;
                    return self.message(count, &pieces).map(Some);
                }
                Err(Stop::TooLarge) => {
                    count = (count / 2).max(1);
                    (self.at_once, self.patience) = (count, PATIENCE);
                }
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
    }

    /// Writes a block of its own.
    fn message(&self, rows: u64, pieces: &Pieces) -> Result<(Block, Buffer)> {
        let too_long = |_| Error::invalid("a batch is too long for its message");
        let signed = |number: u64| i64::try_from(number).map_err(too_long);
        let mut builder = FlatBufferBuilder::new();
        let nodes = pieces.nodes.iter();
        let nodes =
            nodes.map(|(length, nulls)| Ok(FieldNode::new(signed(*length)?, signed(*nulls)?)));
        let nodes = builder.create_vector(&nodes.collect::<Result<Vec<_>>>()?);
        let buffers = pieces.buffers.iter().map(|range| {
            let length = (range.end - range.start) as u64;
            Ok(arrow::ipc::Buffer::new(
                signed(range.start as u64)?,
                signed(length)?,
            ))
        });
        let buffers = builder.create_vector(&buffers.collect::<Result<Vec<_>>>()?);
        let variadic =
            (!pieces.variadic.is_empty()).then(|| builder.create_vector(&pieces.variadic));
        let mut batch = RecordBatchBuilder::new(&mut builder);
        batch.add_length(signed(rows)?);
        batch.add_nodes(nodes);
        batch.add_buffers(buffers);
        if let Some(variadic) = variadic {
            batch.add_variadicBufferCounts(variadic);
        }
        let batch = batch.finish().as_union_value();
        let body = signed(pieces.body.len() as u64)?;
        let mut message = MessageBuilder::new(&mut builder);
        message.add_version(self.version);
        message.add_header_type(MessageHeader::RecordBatch);
        message.add_header(batch);
        message.add_bodyLength(body);
        let message = message.finish();
        builder.finish(message, None);

        let message = builder.finished_data();
        let length = (8 + message.len()).next_multiple_of(ALIGNMENT);
        let told = u32::try_from(length - 8).map_err(too_long)?;
        let mut bytes = Vec::with_capacity(length + pieces.body.len());
        bytes.extend_from_slice(&[0xff; 4]);
        bytes.extend_from_slice(&told.to_le_bytes());
        bytes.extend_from_slice(message);
        bytes.resize(length, 0);
        bytes.extend_from_slice(&pieces.body);
        let length = i32::try_from(length).map_err(too_long)?;
        Ok((Block::new(0, length, body), Buffer::from_vec(bytes)))
    }
}
