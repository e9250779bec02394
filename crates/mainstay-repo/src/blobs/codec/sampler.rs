//! Tells from a few pieces of a chunk what compression would save: random bytes must not cost its time.

use std::sync::LazyLock;

const PIECE: usize = 1024;
const PIECES: usize = 4;
const SAMPLE: usize = PIECES * PIECE;
/// Widths of numbers are divisors of this.
const PHASES: usize = 4;

/// A byte takes so many bits when nothing is saved.
const FULL: f32 = 8.0;
/// A seventh of a bit below means that entropy coding saves an eighth.
const WORTHWHILE: f32 = 7.0;
/// A group is compressed when its entropy is below.
const GROUP_WORTHWHILE: f32 = 7.5;
/// Grouping costs a pass over memory: it has to beat plain entropy coding by so many bits a byte.
const GROUPING_GAIN: f32 = 0.4;

/// More groups have to save so many bits a byte more.
const WIDER_GAIN: f32 = 0.1;

/// What a sample promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    /// General compression will save an eighth.
    pub(super) general: bool,
    /// Grouping will.
    pub(super) grouping: Option<Grouping>,
}

/// A width of numbers, and which of their bytes take few values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grouping {
    width: usize,
    promising: [bool; PHASES],
}

impl Grouping {
    /// For each byte of a number whether its group will shrink.
    pub(super) fn promising(&self) -> &[bool] {
        &self.promising[..self.width]
    }
}

/// Looks at samples one after the other, reusing its buffers.
pub(super) struct Sampler {
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
    pub(super) fn look(&mut self, bytes: &[u8]) -> Promise {
        // Pieces begin where numbers do, if the chunk does.
        let stride = bytes.len() / PIECES / PHASES * PHASES;
        if stride <= PIECE {
            return Promise {
                general: true,
                grouping: None,
            };
        }
        let pieces = self.sample.chunks_exact_mut(PIECE);
        for (piece, from) in pieces.zip(bytes.chunks_exact(stride)) {
            piece.copy_from_slice(&from[..PIECE]);
        }
        let entropies = Entropies::of(&self.sample);
        let grouping = entropies.grouping();
        // Where grouping saves more than plain entropy coding does, only repetitions can save as much.
        let uneven = grouping.is_none() && entropies.plain <= WORTHWHILE;
        Promise {
            general: uneven || self.repeats(),
            grouping,
        }
    }

    fn repeats(&mut self) -> bool {
        let (sample, table) = (&self.sample, &mut self.table);
        lz4_flex::block::compress_into_with_table(sample, &mut self.scratch, table)
            .is_ok_and(|len| len < SAMPLE - SAMPLE / 16)
    }
}

type Counts = [u16; 256];

/// Estimated entropies of a sample, in bits a byte.
struct Entropies {
    plain: f32,
    /// Of the groups of numbers of two bytes.
    two: [f32; 2],
    /// Of four bytes.
    four: [f32; 4],
}

impl Entropies {
    fn of(sample: &[u8; SAMPLE]) -> Self {
        let mut counts = [[0_u16; 256]; PHASES];
        for number in sample.as_chunks::<PHASES>().0 {
            for (counts, byte) in counts.iter_mut().zip(number) {
                counts[usize::from(*byte)] += 1;
            }
        }
        let add =
            |a: &Counts, b: &Counts| -> Counts { std::array::from_fn(|byte| a[byte] + b[byte]) };
        let two = [add(&counts[0], &counts[2]), add(&counts[1], &counts[3])];
        Self {
            plain: entropy(&add(&two[0], &two[1])),
            two: two.map(|counts| entropy(&counts)),
            four: counts.map(|counts| entropy(&counts)),
        }
    }

    fn grouping(&self) -> Option<Grouping> {
        let (two, four) = (mean(&self.two), mean(&self.four));
        let (width, groups, bits) = if two <= four + WIDER_GAIN {
            (2, &self.two[..], two)
        } else {
            (4, &self.four[..], four)
        };
        if bits > WORTHWHILE || bits > self.plain - GROUPING_GAIN {
            return None;
        }
        let mut promising = [false; PHASES];
        for (promising, bits) in promising.iter_mut().zip(groups) {
            *promising = *bits < GROUP_WORTHWHILE;
        }
        Some(Grouping { width, promising })
    }
}

fn mean(bits: &[f32]) -> f32 {
    let (sum, count) = bits
        .iter()
        .fold((0.0, 0.0), |(sum, count), bits| (sum + bits, count + 1.0));
    sum / count
}

/// `n * log2(n)` for every count in a sample.
static WEIGHTS: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let counts = 0..=u16::try_from(SAMPLE).unwrap_or(u16::MAX);
    counts
        .map(|count| match f32::from(count) {
            0.0 => 0.0,
            count => count * count.log2(),
        })
        .collect()
});

/// Estimates the entropy of what was counted, in bits; corrected for the small sample after Miller
/// (1955), without which random bytes seem to save a fiftieth.
fn entropy(counts: &Counts) -> f32 {
    let (mut total, mut distinct, mut weight) = (0, 0_u16, 0.0);
    for count in counts {
        total += count;
        distinct += u16::from(*count > 0);
        weight += WEIGHTS[usize::from(*count)];
    }
    let total = f32::from(total);
    let correction = (f32::from(distinct) - 1.0) / (2.0 * total * std::f32::consts::LN_2);
    (total.log2() - weight / total + correction).min(FULL)
}
