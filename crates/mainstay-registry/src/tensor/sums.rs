//! Sums over pairs of elements, in loops that compile to vector instructions.

use std::array;

/// How many elements are decoded, and added up, at a time.
const BLOCK: usize = 1024;
/// How many sums are kept side by side.
const LANES: usize = 4;

/// What an element is decoded to, exactly.
pub(super) trait Number: Copy + Default + Into<f64> {
    fn is_finite(self) -> bool;
}

impl Number for f32 {
    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

impl Number for f64 {
    fn is_finite(self) -> bool {
        self.is_finite()
    }
}

/// Sums over pairs of numbers, one of `before` and one of `after`.
///
/// What is added up in the same pieces in the same order has the same bits.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sums {
    /// The squares of `after - before` where both are finite.
    pub(super) squares: f64,
    /// The squares of `before` where both are finite.
    pub(super) squares_before: f64,
    /// The greatest magnitude of `after - before` where both are finite.
    pub(super) max: f64,
    /// How many are NaN, of each side.
    pub(super) nan: [u64; 2],
    /// How many are infinite, of each side.
    pub(super) infinite: [u64; 2],
}

impl Sums {
    /// Adds numbers of `W` bytes each, equally many of both sides.
    pub(super) fn add<const W: usize, T: Number>(
        &mut self,
        before: &[u8],
        after: &[u8],
        value: impl Fn([u8; W]) -> T,
    ) {
        let (mut a, mut b) = ([T::default(); BLOCK], [T::default(); BLOCK]);
        let decode = |numbers: &mut [T], bytes: &[[u8; W]]| {
            for (number, bytes) in numbers.iter_mut().zip(bytes) {
                *number = value(*bytes);
            }
        };
        for (before, after) in blocks(before, after) {
            let (a, b) = (&mut a[..before.len()], &mut b[..after.len()]);
            decode(a, before);
            decode(b, after);
            if !(are_finite(a) && are_finite(b)) {
                self.strike_out(a, b);
            }
            self.append(&of_finite(a, b));
        }
    }

    /// Adds integers whose difference a double would lose.
    #[expect(
        clippy::cast_precision_loss,
        reason = "rounds once, after the difference"
    )]
    pub(super) fn add_integers(
        &mut self,
        before: &[u8],
        after: &[u8],
        value: impl Fn([u8; 8]) -> i128,
    ) {
        for (before, after) in blocks(before, after) {
            let mut block = Self::default();
            for (a, b) in before.iter().zip(after) {
                let (a, b) = (value(*a), value(*b));
                let (before, delta) = (a as f64, (b - a) as f64);
                block.squares += delta * delta;
                block.squares_before += before * before;
                block.max = block.max.max(delta.abs());
            }
            self.append(&block);
        }
    }

    /// Adds what comes after.
    pub(super) fn append(&mut self, next: &Self) {
        self.squares += next.squares;
        self.squares_before += next.squares_before;
        self.max = self.max.max(next.max);
        for side in 0..2 {
            self.nan[side] += next.nan[side];
            self.infinite[side] += next.infinite[side];
        }
    }

    /// Counts what is not finite, and makes each pair of which one is not finite one of zeros.
    #[cold]
    fn strike_out<T: Number>(&mut self, before: &mut [T], after: &mut [T]) {
        for (a, b) in before.iter_mut().zip(after) {
            if a.is_finite() && b.is_finite() {
                continue;
            }
            for (side, number) in [a, b].into_iter().enumerate() {
                let value: f64 = (*number).into();
                self.nan[side] += u64::from(value.is_nan());
                self.infinite[side] += u64::from(value.is_infinite());
                *number = T::default();
            }
        }
    }
}

/// Both sides, the same elements at a time.
fn blocks<'a, const W: usize>(
    before: &'a [u8],
    after: &'a [u8],
) -> impl Iterator<Item = (&'a [[u8; W]], &'a [[u8; W]])> {
    let before = before.as_chunks().0.chunks(BLOCK);
    before.zip(after.as_chunks().0.chunks(BLOCK))
}

/// Looks at all of them: that is faster than to stop.
fn are_finite<T: Number>(numbers: &[T]) -> bool {
    numbers
        .iter()
        .fold(true, |all, number| all & number.is_finite())
}

fn of_finite<T: Number>(before: &[T], after: &[T]) -> Sums {
    let (mut squares, mut squares_before, mut max) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let mut add = |before: [f64; LANES], after: [f64; LANES]| {
        let delta: [f64; LANES] = array::from_fn(|lane| after[lane] - before[lane]);
        squares = array::from_fn(|lane| squares[lane] + delta[lane] * delta[lane]);
        squares_before = array::from_fn(|lane| squares_before[lane] + before[lane] * before[lane]);
        max = array::from_fn(|lane| {
            let (delta, max): (f64, f64) = (delta[lane].abs(), max[lane]);
            // Not `f64::max`, which looks for NaN: there is none.
            if delta > max { delta } else { max }
        });
    };
    let ((before, before_rest), (after, after_rest)) = (before.as_chunks(), after.as_chunks());
    for (before, after) in before.iter().zip(after) {
        add(before.map(T::into), after.map(T::into));
    }
    let padded = |rest: &[T]| array::from_fn(|lane| rest.get(lane).map_or(0.0, |x| (*x).into()));
    add(padded(before_rest), padded(after_rest));
    let [squares, squares_before] = [squares, squares_before].map(|lanes| lanes.iter().sum());
    Sums {
        squares,
        squares_before,
        max: max.into_iter().fold(0.0, f64::max),
        ..Sums::default()
    }
}
