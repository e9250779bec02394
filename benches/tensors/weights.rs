//! Files of safetensors from a seed.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// Of each tensor.
const TENSOR_BYTES: usize = 2 << 20;
/// One side of it; the other is as long.
const SIDE: usize = 1_024;

/// Which tensors are others than those of the first file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    None,
    Hundredth,
    All,
}

/// Writes a file of so many MiB; the same each time.
pub(crate) fn write(path: &Path, mebibytes: u64, changed: Changed) -> io::Result<()> {
    let tensors = usize::try_from(mebibytes << 20).unwrap_or(usize::MAX) / TENSOR_BYTES;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let header = header(tensors);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut bytes = vec![0; TENSOR_BYTES];
    for number in 0..tensors {
        fill(&mut bytes, number);
        let moves = match changed {
            Changed::None => false,
            Changed::Hundredth => number % 100 == 50,
            Changed::All => true,
        };
        if moves {
            nudge(&mut bytes, number);
        }
        file.write_all(&bytes)?;
    }
    file.into_inner()?.sync_all()
}

fn header(tensors: usize) -> String {
    let tensor = |number: usize| {
        let begin = number * TENSOR_BYTES;
        let dtype = if is_bfloat(number) { "BF16" } else { "F16" };
        let about = json!({
            "dtype": dtype, "shape": [SIDE, SIDE], "data_offsets": [begin, begin + TENSOR_BYTES],
        });
        (format!("layers.{number}.weight"), about)
    };
    let all: Map<String, Value> = (0..tensors).map(tensor).collect();
    Value::from(all).to_string()
}

fn is_bfloat(number: usize) -> bool {
    number.is_multiple_of(2)
}

/// Sign and fraction at random, and each exponent half as often as the next greater one, as weights have them.
fn fill(bytes: &mut [u8], number: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(number as u64);
    rng.fill_bytes(bytes);
    let (fraction_bits, one) = if is_bfloat(number) {
        (7, 120)
    } else {
        (10, 12)
    };
    for element in bytes.chunks_exact_mut(2) {
        let random = u16::from_le_bytes([element[0], element[1]]);
        let exponent = one - u16::try_from(random.trailing_zeros().min(7)).unwrap_or(7);
        let fraction = random.rotate_left(5) & ((1 << fraction_bits) - 1);
        let value = (random & 0x8000) | (exponent << fraction_bits) | fraction;
        element.copy_from_slice(&value.to_le_bytes());
    }
}

/// Moves each element by its last two bits, as another step of training would.
fn nudge(bytes: &mut [u8], number: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(!(number as u64));
    let mut random = vec![0; bytes.len() / 2];
    rng.fill_bytes(&mut random);
    for (element, random) in bytes.chunks_exact_mut(2).zip(random) {
        element[0] ^= random & 3;
    }
}
