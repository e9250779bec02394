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
    sampler: Sampler,
}

impl Compressor {
    pub(crate) fn new() -> Result<Self> {
        let zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cannot set up compression").with_source(error)
        })?;
        Ok(Self {
            zstd,
            buffer: Vec::new(),
            sampler: Sampler::default(),
        })
    }

    /// Returns the bytes to store: compressed when that saves an eighth.
    ///
    /// Less is not worth the time of decompression: 32-bit float weights, of which Zstandard saves a
    /// thirteenth, are read three times as fast when they are raw.
    pub(crate) fn compress<'b>(&'b mut self, bytes: &'b [u8]) -> (Codec, &'b [u8]) {
        if !self.sampler.promises(bytes) {
            return (Codec::Raw, bytes);
        }
        self.buffer.resize(bytes.len() - bytes.len().div_ceil(8), 0);
        // The only failure of compression into a buffer is that the result does not fit.
        match self.zstd.compress_to_buffer(bytes, &mut self.buffer[..]) {
            Ok(len) if len < bytes.len() => (Codec::Zstd, &self.buffer[..len]),
            _ => (Codec::Raw, bytes),
        }
    }
}

const SAMPLE_PIECE: usize = 1024;
const SAMPLE: usize = 4 * SAMPLE_PIECE;

/// Tells from a few pieces whether compression is worth trying: random bytes must not cost its time.
struct Sampler {
    sample: [u8; SAMPLE],
    table: lz4_flex::block::CompressTable,
    scratch: Vec<u8>,
}

impl Default for Sampler {
    fn default() -> Self {
        Self {
            sample: [0; SAMPLE],
            table: lz4_flex::block::CompressTable::default(),
            scratch: vec![0; lz4_flex::block::get_maximum_output_size(SAMPLE)],
        }
    }
}

impl Sampler {
    fn promises(&mut self, bytes: &[u8]) -> bool {
        let stride = bytes.len() / (SAMPLE / SAMPLE_PIECE);
        if stride <= SAMPLE_PIECE {
            return true;
        }
        let pieces = self.sample.chunks_exact_mut(SAMPLE_PIECE);
        for (piece, from) in pieces.zip(bytes.chunks_exact(stride)) {
            piece.copy_from_slice(&from[..SAMPLE_PIECE]);
        }
        self.is_uneven() || self.repeats()
    }

    /// Reports whether some byte values are so frequent that entropy coding alone saves an eighth.
    fn is_uneven(&self) -> bool {
        let mut counts = [0_u64; 256];
        for byte in self.sample {
            counts[usize::from(byte)] += 1;
        }
        // The sum of squares is about SAMPLE + SAMPLE² / 256 for random bytes. It is 3.1 times that
        // for 32-bit float weights, 3.8 times for Base64, and 10 times for 16-bit ones.
        let random = (SAMPLE + SAMPLE * SAMPLE / 256) as u64;
        counts.iter().map(|count| count * count).sum::<u64>() > random * 7 / 2
    }

    fn repeats(&mut self) -> bool {
        let (sample, table) = (&self.sample, &mut self.table);
        lz4_flex::block::compress_into_with_table(sample, &mut self.scratch, table)
            .is_ok_and(|len| len < SAMPLE - SAMPLE / 16)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::testing::random_bytes;

    fn codec_of(bytes: &[u8]) -> Codec {
        let mut compressor = Compressor::new().unwrap();
        let (codec, stored) = compressor.compress(bytes);
        if codec == Codec::Raw {
            assert_eq!(stored, bytes);
        } else {
            assert_eq!(decompress(codec, stored, bytes.len()).unwrap(), bytes);
            assert!(decompress(codec, stored, bytes.len() - 1).is_err());
            assert!(decompress(codec, stored, bytes.len() + 1).is_err());
        }
        codec
    }

    #[test]
    fn random_bytes_stay_raw_whatever_their_length() {
        for len in [1, 100, 4096, 8192, 65_536, 131_072] {
            assert_eq!(codec_of(&random_bytes(len, 1)), Codec::Raw, "{len}");
        }
    }

    #[test]
    fn what_zstd_shrinks_is_compressed() {
        let digits = |digits: &[u8]| -> Vec<u8> {
            let bytes = random_bytes(65_536, 3).into_iter();
            bytes
                .map(|byte| digits[usize::from(byte) % digits.len()])
                .collect()
        };
        let hex = digits(b"0123456789abcdef");
        let base64 = digits(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
        let repeated = random_bytes(600, 4).repeat(100);
        for bytes in [hex, base64, repeated, weights(2), vec![0; 20_000]] {
            assert_eq!(codec_of(&bytes), Codec::Zstd);
        }
    }

    #[test]
    fn weights_of_32_bits_stay_raw() {
        assert_eq!(codec_of(&weights(4)), Codec::Raw);
    }

    /// Weights like those of a network: of each 32-bit float so many bytes, the most significant ones.
    fn weights(bytes_each: usize) -> Vec<u8> {
        let random = random_bytes(65_536 * 12 / bytes_each, 2);
        let numbers = random.chunks_exact(12).map(|bytes| {
            let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
            let low = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
            let sum = f64::from(sum) - 1530.0 + f64::from(low) / f64::from(1 << 24);
            #[expect(clippy::cast_possible_truncation, reason = "rounds")]
            let weight = (sum / 20_000.0) as f32;
            weight.to_le_bytes()
        });
        numbers
            .flat_map(|number| number[4 - bytes_each..].to_vec())
            .collect()
    }

    #[test]
    fn lz4_blocks_are_read() {
        let bytes = b"lz4 ".repeat(100);
        let stored = lz4_flex::block::compress(&bytes);
        assert_eq!(decompress(Codec::Lz4, &stored, bytes.len()).unwrap(), bytes);
        assert!(decompress(Codec::Lz4, &stored, bytes.len() - 1).is_err());
        assert!(decompress(Codec::Lz4, &stored[1..], bytes.len()).is_err());
    }
}
