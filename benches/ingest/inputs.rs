//! What is stored: bytes out of a seed.

use std::fs::{self, File};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use mainstay_core::{Digest, Hasher};

pub(crate) const SEED: u64 = 0x6d61_696e_7374_6179;

/// The `SplitMix64` generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Writes opaque bytes; returns their digest.
pub(crate) fn write_random(path: &Path, bytes: u64) -> Digest {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut hasher = Hasher::new();
    let mut random = Random(SEED);
    for _ in 0..bytes / 8 {
        let word = random.next().to_le_bytes();
        hasher.update(&word);
        file.write_all(&word).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    hasher.finish()
}

/// Writes so many small files of opaque bytes into a directory.
pub(crate) fn write_small(directory: &Path, count: u64, bytes: usize) {
    let mut random = Random(SEED);
    for number in 0..count {
        let path = directory.join(format!("{number:06}"));
        fs::write(path, opaque(&mut random, bytes)).unwrap();
    }
}

/// Bytes that do not compress.
pub(crate) fn opaque(random: &mut Random, bytes: usize) -> Vec<u8> {
    let words = (0..bytes / 8).flat_map(|_| random.next().to_le_bytes());
    words.collect()
}

/// Weights of 16 bits (bfloat16) or 32, of a normal distribution with a standard deviation of 0.02:
/// Box and Muller's transformation.
pub(crate) fn weights(random: &mut Random, bytes: usize, width: usize) -> Vec<u8> {
    let mut weights = Vec::with_capacity(bytes + 8);
    #[expect(clippy::cast_precision_loss, reason = "random numbers")]
    let mut uniform = || ((random.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    while weights.len() < bytes {
        let (radius, angle) = (
            (-2.0 * uniform().ln()).sqrt(),
            std::f64::consts::TAU * uniform(),
        );
        for weight in [radius * angle.cos(), radius * angle.sin()] {
            #[expect(clippy::cast_possible_truncation, reason = "rounds")]
            let weight = ((0.02 * weight) as f32).to_le_bytes();
            weights.extend(&weight[4 - width..]);
        }
    }
    weights.truncate(bytes);
    weights
}

/// Writes a model of `tensors` equal tensors, of which every eighth holds weights and the others are
/// zeros that take no room.
pub(crate) fn write_model(path: &Path, tensors: u64, tensor_bytes: u64) {
    let entries = (0..tensors).map(|number| {
        let (start, end) = (number * tensor_bytes, (number + 1) * tensor_bytes);
        let len = tensor_bytes / 2;
        format!(
            r#""layer.{number}":{{"dtype":"BF16","shape":[{len}],"data_offsets":[{start},{end}]}}"#
        )
    });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes())
        .unwrap();
    file.write_all(header.as_bytes()).unwrap();
    let start = 8 + header.len() as u64;
    file.set_len(start + tensors * tensor_bytes).unwrap();
    let mut random = Random(SEED);
    for number in (0..tensors).step_by(8) {
        let at = start + number * tensor_bytes;
        file.seek(SeekFrom::Start(at)).map(drop).unwrap();
        for _ in 0..tensor_bytes / (1 << 20) {
            file.write_all(&weights(&mut random, 1 << 20, 2)).unwrap();
        }
    }
    file.sync_all().unwrap();
}
