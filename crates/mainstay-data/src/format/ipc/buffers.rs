//! The buffers of a large batch, read in parts.

use std::io::{self, Read};
use std::ops::Range;

use arrow::ipc::CompressionType;
use bytes::Bytes;
use mainstay_core::Result;

use super::message::{Held, held, not_ipc};
use crate::source::Source;
use crate::spool::Spool;

/// The buffers of a batch, in the order of its message.
pub(super) struct Buffers {
    source: Source,
    codec: Option<CompressionType>,
    all: Vec<Place>,
}

enum Place {
    /// In the file.
    Stored(Range<u64>),
    /// In the file, and not yet decompressed.
    Compressed(Held),
    /// Decompressed.
    Spooled(Source),
}

impl Buffers {
    pub(super) fn new(
        source: &Source,
        codec: Option<CompressionType>,
        ranges: Vec<Range<u64>>,
    ) -> Result<Self> {
        let place = |range: Range<u64>| {
            if codec.is_none() {
                return Ok(Place::Stored(range));
            }
            let held = held(source, &range)?;
            Ok(if held.is_compressed {
                Place::Compressed(held)
            } else {
                Place::Stored(held.bytes)
            })
        };
        Ok(Self {
            all: ranges.into_iter().map(place).collect::<Result<_>>()?,
            source: source.clone(),
            codec,
        })
    }

    /// Returns how many bytes a buffer holds; `None` when there is none of this number.
    pub(super) fn length(&self, index: usize) -> Option<u64> {
        Some(match self.all.get(index)? {
            Place::Stored(range) => range.end - range.start,
            Place::Compressed(held) => held.holds,
            Place::Spooled(source) => source.size(),
        })
    }

    /// Reads some bytes of a buffer, which it has. One that is compressed is decompressed once, into a temporary
    /// file where it is long.
    pub(super) fn read(&mut self, index: usize, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let lost = || not_ipc("a batch has fewer buffers than its columns");
        let place = self.all.get_mut(index).ok_or_else(lost)?;
        if let Place::Compressed(held) = place {
            *place = Place::Spooled(decompressed(&self.source, self.codec, held)?);
        }
        match place {
            Place::Stored(within) => {
                let range = within.start + range.start..within.start + range.end;
                Ok(self.source.read_range(range)?)
            }
            Place::Spooled(source) => Ok(source.read_range(range)?),
            Place::Compressed(_) => Err(lost()),
        }
    }
}

/// Decompresses a buffer.
///
/// # Errors
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it does not hold what it claims.
fn decompressed(source: &Source, codec: Option<CompressionType>, held: &Held) -> Result<Source> {
    let unreadable = |cause: io::Error| {
        let error = not_ipc("a compressed buffer cannot be decompressed");
        source.take_failure().unwrap_or(error.with_source(cause))
    };
    let reader = source.reader_from(held.bytes.start);
    let reader = reader.take(held.bytes.end - held.bytes.start);
    let mut spool = Spool::new();
    let copied = if codec == Some(CompressionType::ZSTD) {
        let decoder = zstd::Decoder::new(reader).map_err(unreadable)?;
        io::copy(&mut decoder.take(held.holds + 1), &mut spool)
    } else {
        let decoder = lz4_flex::frame::FrameDecoder::new(reader);
        io::copy(&mut decoder.take(held.holds + 1), &mut spool)
    };
    let copied = copied.map_err(unreadable)?;
    if copied != held.holds {
        return Err(not_ipc(&format!(
            "a buffer that claims to hold {} bytes holds {}",
            held.holds,
            if copied > held.holds { "more" } else { "fewer" }
        )));
    }
    // The system keeps what is open.
    Ok(spool.finish()?.open()?)
}
