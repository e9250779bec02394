//! Streams of bytes and bits into BLAKE3.

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

/// How many bytes wait until they are hashed together: BLAKE3 is fastest on about 16 KiB.
const BUFFER_BYTES: usize = 16 * 1_024;

/// Hashes bytes, buffering small writes.
#[derive(Debug)]
pub(super) struct ByteStream {
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl ByteStream {
    pub(super) fn new() -> Self {
        Self::with_hasher(blake3::Hasher::new())
    }

    pub(super) fn with_hasher(hasher: blake3::Hasher) -> Self {
        Self {
            hasher,
            buffer: Vec::new(),
        }
    }

    /// Returns the digest of what was written and begins anew.
    pub(super) fn take(&mut self) -> [u8; 32] {
        self.flush();
        let digest = self.hasher.finalize().into();
        self.hasher.reset();
        digest
    }

    fn flush(&mut self) {
        self.hasher.update(&self.buffer);
        self.buffer.clear();
    }
}

impl ByteSink for ByteStream {
    fn write(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush();
        }
        if bytes.len() > BUFFER_BYTES {
            self.hasher.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn write_varint(&mut self, number: u64) {
        if self.buffer.len() + 10 > BUFFER_BYTES {
            self.flush();
        }
        self.buffer.write_varint(number);
    }
}

/// Hashes bits, least significant first; the last byte is filled with zeros.
#[derive(Debug)]
pub(super) struct BitStream {
    bytes: ByteStream,
    partial: u8,
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

    pub(super) fn push(&mut self, bit: bool) {
        self.partial |= u8::from(bit) << self.used;
        self.used += 1;
        if self.used == 8 {
            self.bytes.write(&[self.partial]);
            (self.partial, self.used) = (0, 0);
        }
    }

    /// Adds `count` ones.
    pub(super) fn push_ones(&mut self, mut count: usize) {
        const ONES: [u8; 256] = [0xff; 256];
        while count > 0 && self.used > 0 {
            self.push(true);
            count -= 1;
        }
        while count >= 8 {
            let whole = (count / 8).min(ONES.len());
            self.bytes.write(&ONES[..whole]);
            count -= 8 * whole;
        }
        for _ in 0..count {
            self.push(true);
        }
    }

    pub(super) fn take(&mut self) -> [u8; 32] {
        if self.used > 0 {
            self.bytes.write(&[self.partial]);
            (self.partial, self.used) = (0, 0);
        }
        self.bytes.take()
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
        fn runs_of_ones_equal_single_ones(runs in proptest::collection::vec((any::<bool>(), 0_usize..5_000), 0..6)) {
            let (mut by_run, mut by_bit) = (BitStream::new(), BitStream::new());
            for (bit, count) in runs {
                if bit {
                    by_run.push_ones(count);
                } else {
                    (0..count).for_each(|_| by_run.push(false));
                }
                (0..count).for_each(|_| by_bit.push(bit));
            }
            prop_assert_eq!(by_run.take(), by_bit.take());
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
