//! Cuts bytes where their content says so.
//!
//! Gear hashing with the parameters of the Xet chunker, so that the cut points equal those of other
//! implementations: <https://huggingface.co/docs/xet/chunking>.

/// No chunk but the last of a blob is shorter.
pub(crate) const MIN_CHUNK: usize = 8 * 1024;
/// No chunk is longer.
pub(crate) const MAX_CHUNK: usize = 128 * 1024;
/// A cut is where these bits of the hash are zero: one place in 65,536.
const MASK: u64 = 0xffff_0000_0000_0000;
/// The hash depends on this many bytes: each byte shifts the ones before it by one bit.
const WINDOW: usize = 64;
/// Bytes before this place in a chunk cannot reach the hash at its first possible cut.
const UNHASHED: usize = MIN_CHUNK - WINDOW - 1;

/// Finds the cuts of one blob whose bytes arrive in slices of any size.
///
/// The cuts depend on the bytes alone, not on the slices.
#[derive(Debug, Default)]
pub(crate) struct Chunker {
    gear: gearhash::Hasher<'static>,
    /// Bytes of the current chunk so far.
    len: usize,
}

impl Chunker {
    /// Returns how many of `bytes` complete the current chunk; `None` when it goes on after all of them.
    ///
    /// The caller passes what lies behind the cut to the next call.
    pub(crate) fn next_cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let end = bytes.len().min(MAX_CHUNK - self.len);
        let mut at = end.min(UNHASHED.saturating_sub(self.len));
        while at < end {
            at = match self.gear.next_match(&bytes[at..end], MASK) {
                Some(matched) => at + matched,
                None => break,
            };
            if self.len + at >= MIN_CHUNK {
                return Some(self.cut(at));
            }
        }
        if self.len + end == MAX_CHUNK {
            return Some(self.cut(end));
        }
        self.len += bytes.len();
        None
    }

    /// Begins a chunk, wherever the one before ended.
    pub(crate) fn reset(&mut self) {
        self.len = 0;
        self.gear.set_hash(0);
    }

    fn cut(&mut self, at: usize) -> usize {
        self.reset();
        at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::blobs::testing::random_bytes;

    /// The end of each chunk when the bytes arrive in slices of the given sizes, over and over.
    fn cuts(bytes: &[u8], slices: &[usize]) -> Vec<usize> {
        let mut chunker = Chunker::default();
        let mut cuts = Vec::new();
        let mut at = 0;
        for size in slices.iter().cycle() {
            let mut rest = &bytes[at..(at + size).min(bytes.len())];
            while let Some(cut) = chunker.next_cut(rest) {
                at += cut;
                cuts.push(at);
                rest = &rest[cut..];
            }
            at += rest.len();
            if at == bytes.len() {
                break;
            }
        }
        if cuts.last() != Some(&bytes.len()) {
            cuts.push(bytes.len());
        }
        cuts
    }

    /// The rule as it is written down, on the whole buffer, without skipping a byte.
    fn cuts_by_the_book(bytes: &[u8]) -> Vec<usize> {
        let mut cuts = Vec::new();
        let (mut start, mut hash) = (0, 0_u64);
        for (at, byte) in bytes.iter().enumerate() {
            hash = (hash << 1).wrapping_add(gearhash::DEFAULT_TABLE[usize::from(*byte)]);
            let len = at + 1 - start;
            if len == MAX_CHUNK || (len >= MIN_CHUNK && hash & MASK == 0) {
                cuts.push(at + 1);
                (start, hash) = (at + 1, 0);
            }
        }
        if start < bytes.len() {
            cuts.push(bytes.len());
        }
        cuts
    }

    // Both vectors: huggingface/xet-core, tests of deduplication/chunking.rs.
    #[test]
    fn random_bytes_are_cut_where_the_published_vector_says() {
        let bytes = random_bytes(1_000_000, 0);
        assert_eq!((bytes[0], bytes[127], bytes[111_111]), (175, 132, 118));
        let expected = [
            84493, 134_421, 144_853, 243_318, 271_793, 336_457, 467_529, 494_581, 582_000, 596_735,
            616_815, 653_164, 678_202, 724_510, 815_591, 827_760, 958_832, 991_092, 1_000_000,
        ];
        assert_eq!(cuts(&bytes, &[1_000_000]), expected);
        assert_eq!(cuts_by_the_book(&bytes), expected);
    }

    #[test]
    fn constant_bytes_are_cut_at_the_maximum_only() {
        let expected = [
            131_072, 262_144, 393_216, 524_288, 655_360, 786_432, 917_504, 1_000_000,
        ];
        assert_eq!(cuts(&vec![59; 1_000_000], &[4096]), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn cuts_do_not_depend_on_the_slices(
            seed: u64,
            len in 1_usize..600_000,
            // Masking bytes off makes matches below the minimum and forced cuts frequent.
            mask in prop::sample::select(vec![0xff_u8, 0x0f, 0x03, 0x00]),
            slices in prop::collection::vec(prop_oneof![1_usize..200, 1000_usize..300_000], 1..8),
        ) {
            let bytes: Vec<u8> = random_bytes(len, seed).iter().map(|byte| byte & mask).collect();
            prop_assert_eq!(cuts(&bytes, &slices), cuts_by_the_book(&bytes));
        }
    }
}
