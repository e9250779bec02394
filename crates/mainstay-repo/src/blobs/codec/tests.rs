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
    for bytes in [hex, base64, repeated, vec![0; 20_000]] {
        assert_eq!(codec_of(&bytes), Codec::Zstd);
    }
}

#[test]
fn weights_are_grouped_by_their_bytes() {
    assert_eq!(codec_of(&weights(4)), Codec::Grouped4);
    assert_eq!(codec_of(&weights(2)), Codec::Grouped2);
    // A cut that divides a number loses nothing.
    for skip in 1..4 {
        let (four, two) = (&weights(4)[skip..], &weights(2)[skip..]);
        assert_eq!(codec_of(four), Codec::Grouped4);
        assert_eq!(codec_of(two), Codec::Grouped2);
    }
}

#[test]
fn grouping_saves_a_fifth_of_16_bit_weights_and_an_eighth_of_32_bit_ones() {
    let mut compressor = Compressor::new().unwrap();
    for (width, most) in [(2, 800), (4, 875)] {
        let weights = weights(width);
        let (_, stored) = compressor.compress(&weights);
        let thousandths = stored.len() * 1000 / weights.len();
        assert!(thousandths < most, "{width}: {thousandths}");
    }
}

#[test]
fn weights_that_repeat_are_compressed_as_well_as_either_way_can() {
    let repeated = weights(4)[..8192].repeat(8);
    let mut compressor = Compressor::new().unwrap();
    let (_, stored) = compressor.compress(&repeated);
    assert!(stored.len() < 10_000, "{}", stored.len());
}

#[test]
fn stored_groups_that_lie_are_damage() {
    let weights = weights(2);
    let mut compressor = Compressor::new().unwrap();
    let stored = compressor.compress(&weights).1.to_vec();
    let refused = |stored: &[u8]| decompress(Codec::Grouped2, stored, weights.len()).is_err();
    assert!(!refused(&stored));
    assert!(refused(&[]));
    assert!(refused(&stored[..7]));
    assert!(refused(&[&stored[..], &[0]].concat()));
    for at in 0..8 {
        let mut lying = stored.clone();
        lying[at] ^= 0x81;
        assert!(refused(&lying), "{at}");
    }
    assert!(decompress(Codec::Grouped4, &stored, weights.len()).is_err());
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
