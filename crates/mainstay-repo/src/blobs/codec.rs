//! Compression of single records.

use mainstay_core::{Error, ErrorKind, Result};

use super::damage::Damage;

/// How a record's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// As they are.
    Raw = 0,
    /// One Zstandard frame.
    Zstd = 1,
    /// One LZ4 block.
    Lz4 = 2,
}

impl Codec {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Raw, Self::Zstd, Self::Lz4]
            .into_iter()
            .find(|codec| *codec as u8 == byte)
    }
}

const ZSTD_LEVEL: i32 = 1;

/// Compresses records one after the other, reusing its buffers.
pub(crate) struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new() -> Result<Self> {
        let zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cannot set up compression").with_source(error)
        })?;
        Ok(Self {
            zstd,
            buffer: Vec::new(),
        })
    }

    /// Returns the bytes to store: compressed when that saves at least a 32nd.
    pub(crate) fn compress<'b>(&'b mut self, bytes: &'b [u8]) -> (Codec, &'b [u8]) {
        self.buffer.resize(bytes.len() - bytes.len() / 32, 0);
        // The only failure of compression into a buffer is that the result does not fit.
        match self.zstd.compress_to_buffer(bytes, &mut self.buffer[..]) {
            Ok(len) if len < bytes.len() => (Codec::Zstd, &self.buffer[..len]),
            _ => (Codec::Raw, bytes),
        }
    }
}

/// Restores a compressed record of exactly `len` bytes, allocating no more than that.
pub(crate) fn decompress(codec: Codec, stored: &[u8], len: usize) -> Result<Vec<u8>, Damage> {
    let mut bytes = vec![0; len];
    let restored = match codec {
        Codec::Raw => None,
        Codec::Zstd => zstd::bulk::decompress_to_buffer(stored, &mut bytes[..]).ok(),
        Codec::Lz4 => lz4_flex::block::decompress_into(stored, &mut bytes).ok(),
    };
    if restored == Some(len) {
        Ok(bytes)
    } else {
        Err(Damage::Broken("does not decompress"))
    }
}
