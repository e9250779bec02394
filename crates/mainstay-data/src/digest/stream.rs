//! Streams of bytes and bits into BLAKE3.

use arrow::buffer::{BooleanBuffer, NullBuffer};

/// Takes bytes in order.
pub(crate) trait ByteSink {
    /// Adds bytes.
    fn write(&mut self, bytes: &[u8]);

    /// Adds an unsigned LEB128 number in its shortest form.
    fn write_varint(&mut self, number: u64);
}

/// Appends, for values small enough to hold.
impl ByteSink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn write_varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.push(low & 0x7f);
                return;
            }
            self.push(low | 0x80);
        }
    }
}

/// How many bytes are hashed together. Always so many from the start of the stream on, as BLAKE3 is
/// fast on 16 chunks of its tree, and slow on pieces of a chunk.
const BUFFER_BYTES: usize = 16 * 1_024;

/// Hashes bytes, buffering small writes.
#[derive(Debug, Clone)]
pub(crate) struct ByteStream {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl ByteStream {
    pub(super) fn new() -> Self {
        Self::with_hasher(blake3::Hasher::new())
    }

    pub(crate) fn with_hasher(hasher: blake3::Hasher) -> Self {
        Self {
            hasher,
            buffer: Vec::new(),
        }
    }

    /// Returns the digest of what was written and begins anew.
    pub(crate) fn take(&mut self) -> [u8; 32] {
        self.flush();
        let digest = self.hasher.finalize().into();
        self.hasher.reset();
        digest
    }

    /// Fills `out` with the extended digest of what was written and `last`, and begins anew.
    pub(super) fn take_into(&mut self, last: &[u8], out: &mut [u8]) {
        self.flush();
        self.hasher.update(last);
        self.hasher.finalize_xof().fill(out);
        self.hasher.reset();
    }

    fn flush(&mut self) {
        self.hasher.update(&self.buffer);
        self.buffer.clear();
    }

    /// Adds bytes that fill the buffer.
    fn write_through(&mut self, mut bytes: &[u8]) {
        if !self.buffer.is_empty() {
            let (first, rest) = bytes.split_at(BUFFER_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(first);
            self.flush();
            bytes = rest;
        }
        let (buffers, rest) = bytes.as_chunks::<BUFFER_BYTES>();
        self.hasher.update(buffers.as_flattened());
        self.buffer.extend_from_slice(rest);
    }
}

impl ByteSink for ByteStream {
    fn write(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.write_through(bytes);
        }
    }

    fn write_varint(&mut self, number: u64) {
        if self.buffer.len() + 10 < BUFFER_BYTES {
            self.buffer.write_varint(number);
        } else {
            let mut varint = Vec::with_capacity(10);
            varint.write_varint(number);
            self.write(&varint);
        }
    }
}

/// Hashes bits, least significant first; the last byte is filled with zeros.
#[derive(Debug)]
pub(crate) struct BitStream {
    bytes: ByteStream,
    partial: u64,
    /// Bits of `partial` that are in use: fewer than 64.
    used: u32,
}

impl BitStream {
    pub(super) fn new() -> Self {
        Self {
            bytes: ByteStream::new(),
            partial: 0,
            used: 0,
        }
    }

    /// Adds one bit.
    pub(crate) fn push(&mut self, bit: bool) {
        self.push_word(u64::from(bit), 1);
    }

    /// Adds `count` equal bits.
    pub(crate) fn push_run(&mut self, bit: bool, count: usize) {
        let word = if bit { u64::MAX } else { 0 };
        for _ in 0..count / 64 {
            self.push_word(word, 64);
        }
        for _ in 0..count % 64 {
            self.push(bit);
        }
    }

    /// Adds the validity of `count` slots; all are valid when there is no buffer.
    pub(crate) fn push_validity(&mut self, nulls: Option<&NullBuffer>, count: usize) {
        match nulls {
            Some(nulls) if nulls.null_count() > 0 => self.push_bits(nulls.inner(), count),
            _ => self.push_run(true, count),
        }
    }

    fn push_bits(&mut self, bits: &BooleanBuffer, count: usize) {
        let chunks = bits.bit_chunks();
        for word in chunks.iter().take(count / 64) {
            self.push_word(word, 64);
        }
        for index in count - count % 64..count {
            self.push(bits.value(index));
        }
    }

    /// Adds the `bits` lowest bits of `word`, at most 64; the others are 0.
    fn push_word(&mut self, word: u64, bits: u32) {
        self.partial |= word << self.used;
        let total = self.used + bits;
        if total < 64 {
            self.used = total;
            return;
        }
        self.bytes.write(&self.partial.to_le_bytes());
        self.partial = word.checked_shr(64 - self.used).unwrap_or(0);
        self.used = total - 64;
    }

    pub(super) fn take(&mut self) -> [u8; 32] {
        let used = self.used.div_ceil(8) as usize;
        self.bytes.write(&self.partial.to_le_bytes()[..used]);
        (self.partial, self.used) = (0, 0);
        self.bytes.take()
    }
}

/// The three streams of a column, apart so that no value can imitate a null or a border.
#[derive(Debug)]
pub(crate) struct ColumnStreams {
    /// One bit a slot: whether it holds a value.
    pub(crate) validity: BitStream,
    /// The lengths of the values, where the type has one.
    pub(crate) lengths: ByteStream,
    /// The values, without nulls.
    pub(crate) values: ByteStream,
}

impl ColumnStreams {
    pub(super) fn new() -> Self {
        Self {
            validity: BitStream::new(),
            lengths: ByteStream::new(),
            values: ByteStream::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_hash_like_the_whole(pieces in proptest::collection::vec(0_usize..100_000, 0..8)) {
            let mut stream = ByteStream::new();
            let mut whole = Vec::new();
            for (index, length) in pieces.into_iter().enumerate() {
                let piece = vec![u8::try_from(index).unwrap(); length];
                stream.write(&piece);
                stream.write_varint(length as u64);
                whole.extend_from_slice(&piece);
                whole.write_varint(length as u64);
            }
            prop_assert_eq!(stream.take(), *blake3::hash(&whole).as_bytes());
            prop_assert_eq!(stream.take(), *blake3::hash(b"").as_bytes());
        }

        #[test]
        fn bits_in_runs_buffers_and_alone_hash_like_their_bytes(
            runs in proptest::collection::vec((any::<bool>(), 0_usize..500), 0..6),
            cut in 0_usize..200,
        ) {
            let bits: Vec<bool> = runs.iter().flat_map(|&(bit, count)| vec![bit; count]).collect();
            let mut bytes = vec![0; bits.len().div_ceil(8)];
            for (index, &bit) in bits.iter().enumerate() {
                bytes[index / 8] |= u8::from(bit) << (index % 8);
            }
            let expected = *blake3::hash(&bytes).as_bytes();

            let mut by_run = BitStream::new();
            for (bit, count) in runs {
                by_run.push_run(bit, count);
            }
            prop_assert_eq!(by_run.take(), expected);

            let nulls = NullBuffer::from(bits.clone());
            let cut = cut.min(bits.len());
            let mut by_buffer = BitStream::new();
            for part in [nulls.slice(0, cut), nulls.slice(cut, bits.len() - cut)] {
                by_buffer.push_validity(Some(&part), part.len());
            }
            prop_assert_eq!(by_buffer.take(), expected);
            prop_assert_eq!(by_buffer.take(), *blake3::hash(b"").as_bytes());
        }
    }

    #[test]
    fn varints_are_leb128() {
        for (number, expected) in [
            (0, vec![0]),
            (127, vec![0x7f]),
            (128, vec![0x80, 1]),
            (u64::MAX, [vec![0xff; 9], vec![1]].concat()),
        ] {
            let mut bytes = Vec::new();
            bytes.write_varint(number);
            assert_eq!(bytes, expected);
        }
    }
}
