//! Compression of single records.

mod grouped;
mod sampler;

use std::cell::RefCell;

use mainstay_core::{Error, ErrorKind, Result};
use zstd::zstd_safe::CParameter;

use self::sampler::{Grouping, Sampler};
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
    /// As numbers of two bytes, [grouped].
    Grouped2 = 3,
    /// As numbers of four bytes, [grouped].
    Grouped4 = 4,
}

impl Codec {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Raw,
            Self::Zstd,
            Self::Lz4,
            Self::Grouped2,
            Self::Grouped4,
        ]
        .into_iter()
        .find(|codec| *codec as u8 == byte)
    }
}

const ZSTD_LEVEL: i32 = 1;

/// Compresses records one after the other, reusing its buffers.
pub(crate) struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    /// Spends no time on looking for repetitions.
    entropy: zstd::bulk::Compressor<'static>,
    sampler: Sampler,
    general: Vec<u8>,
    grouped: Vec<u8>,
    scratch: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new() -> Result<Self> {
        let build = || {
            let mut entropy = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
            // The table of 64 places finds next to nothing, in next to no time.
            entropy.set_parameter(CParameter::HashLog(6))?;
            entropy.set_parameter(CParameter::MinMatch(7))?;
            Ok::<_, std::io::Error>((zstd::bulk::Compressor::new(ZSTD_LEVEL)?, entropy))
        };
        let (zstd, entropy) = build().map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cannot set up compression").with_source(error)
        })?;
        Ok(Self {
            zstd,
            entropy,
            sampler: Sampler::default(),
            general: Vec::new(),
            grouped: Vec::new(),
            scratch: Vec::new(),
        })
    }

    /// Returns the bytes to store: compressed when that saves an eighth.
    ///
    /// Less is not worth the time of decompression.
    pub(crate) fn compress<'b>(&'b mut self, bytes: &'b [u8]) -> (Codec, &'b [u8]) {
        let promise = self.sampler.look(bytes);
        let enough = bytes.len() - bytes.len().div_ceil(8);
        let mut best = (Codec::Raw, bytes.len());
        if promise.general {
            self.general.resize(enough, 0);
            // The only failure of compression into a buffer is that the result does not fit.
            let len = self.zstd.compress_to_buffer(bytes, &mut self.general[..]);
            best = len.map_or(best, |len| (Codec::Zstd, len));
        }
        if let Some(grouping) = promise.grouping {
            self.group(bytes, &grouping);
            let codec = match grouping.promising().len() {
                2 => Codec::Grouped2,
                _ => Codec::Grouped4,
            };
            if self.grouped.len() <= enough && self.grouped.len() < best.1 {
                best = (codec, self.grouped.len());
            }
        }
        match best {
            (_, len) if len >= bytes.len() => (Codec::Raw, bytes),
            (Codec::Zstd, len) => (Codec::Zstd, &self.general[..len]),
            (codec, _) => (codec, &self.grouped),
        }
    }

    fn group(&mut self, bytes: &[u8], grouping: &Grouping) {
        let (scratch, stored) = (&mut self.scratch, &mut self.grouped);
        grouped::encode(
            bytes,
            grouping.promising(),
            scratch,
            stored,
            |group, room| self.entropy.compress_to_buffer(group, room).ok(),
        );
    }
}

thread_local! {
    /// Kept, as it is as long as many a record.
    static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Fills `bytes` with what a Zstandard frame holds, which is exactly that much.
fn unzstd(stored: &[u8], bytes: &mut [u8]) -> Option<()> {
    ZSTD.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = zstd::bulk::Decompressor::new().ok();
        }
        let len = kept.as_mut()?.decompress_to_buffer(stored, bytes).ok()?;
        (len == bytes.len()).then_some(())
    })
}

/// Restores a compressed record of exactly `len` bytes, allocating little more than that.
pub(crate) fn decompress(codec: Codec, stored: &[u8], len: usize) -> Result<Vec<u8>, Damage> {
    let mut bytes = vec![0; len];
    let restored = match codec {
        Codec::Raw => None,
        Codec::Zstd => unzstd(stored, &mut bytes),
        Codec::Lz4 => lz4_flex::block::decompress_into(stored, &mut bytes)
            .ok()
            .filter(|restored| *restored == len)
            .map(drop),
        Codec::Grouped2 => grouped::decode(stored, 2, &mut bytes, unzstd).ok(),
        Codec::Grouped4 => grouped::decode(stored, 4, &mut bytes, unzstd).ok(),
    };
    if restored.is_some() {
        Ok(bytes)
    } else {
        Err(Damage::Broken("does not decompress"))
    }
}

#[cfg(test)]
mod tests;
