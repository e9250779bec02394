//! How far the elements of a tensor moved.

use std::sync::LazyLock;

use serde::Serialize;

use super::element::ElementType;
use super::minifloat::{E4M3, E4M3_FNUZ, E5M2, E5M2_FNUZ, FINITE_E2M1, IEEE_HALF, Minifloat};
use crate::metric::Metric;

/// How two tensors of one type and shape differ.
///
/// The norms are over the elements that are finite on both sides: in double precision, Euclidean, and
/// of the real and imaginary parts of complex ones. A square beyond 10³⁰⁸ makes them infinite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// How many elements each has.
    pub elements: u64,
    /// How many have other bits.
    pub changed: u64,
    /// `changed / elements`, in 0..=1.
    pub fraction: f64,
    /// The norm of `after - before`.
    pub norm: Metric,
    /// The norm of `before`.
    pub norm_before: Metric,
    /// The greatest magnitude in `after - before`.
    pub max: Metric,
    /// How many numbers are NaN in `before`.
    pub nan_before: u64,
    /// How many numbers are NaN in `after`.
    pub nan_after: u64,
    /// How many numbers are infinite in `before`.
    pub infinite_before: u64,
    /// How many numbers are infinite in `after`.
    pub infinite_after: u64,
}

impl Difference {
    /// Returns `norm / norm_before`; `None` when `before` is all zeros.
    #[must_use]
    pub fn relative(&self) -> Option<f64> {
        let before = self.norm_before.value();
        (before > 0.0).then(|| self.norm.value() / before)
    }
}

/// Adds up the difference of two tensors, piece by piece.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    dtype: ElementType,
    elements: u64,
    changed: u64,
    squares: f64,
    squares_before: f64,
    max: f64,
    nan: [u64; 2],
    infinite: [u64; 2],
}

impl Tally {
    pub(super) fn new(dtype: ElementType) -> Self {
        Self {
            dtype,
            elements: 0,
            changed: 0,
            squares: 0.0,
            squares_before: 0.0,
            max: 0.0,
            nan: [0; 2],
            infinite: [0; 2],
        }
    }

    /// Adds the next bytes of both sides: equally many, and whole units of the type.
    pub(super) fn add(&mut self, before: &[u8], after: &[u8]) {
        self.count(before, after);
        match self.dtype {
            ElementType::Bool | ElementType::U8 => self.each(before, after, |[x]| x.into()),
            ElementType::I8 => self.each(before, after, |x| i8::from_le_bytes(x).into()),
            ElementType::I16 => self.each(before, after, |x| i16::from_le_bytes(x).into()),
            ElementType::U16 => self.each(before, after, |x| u16::from_le_bytes(x).into()),
            ElementType::I32 => self.each(before, after, |x| i32::from_le_bytes(x).into()),
            ElementType::U32 => self.each(before, after, |x| u32::from_le_bytes(x).into()),
            ElementType::F32 | ElementType::C64 => {
                self.each(before, after, |x| f32::from_le_bytes(x).into());
            }
            ElementType::F64 => self.each(before, after, f64::from_le_bytes),
            ElementType::Bf16 => self.each(before, after, |[low, high]| {
                f32::from_le_bytes([0, 0, low, high]).into()
            }),
            ElementType::F16 => {
                let half: &[f32] = &HALF;
                self.each(before, after, |x| {
                    half[usize::from(u16::from_le_bytes(x))].into()
                });
            }
            ElementType::I64 => self.integers(before, after, |x| i64::from_le_bytes(x).into()),
            ElementType::U64 => self.integers(before, after, |x| u64::from_le_bytes(x).into()),
            ElementType::F8E8M0 => self.each(before, after, |[x]| power_of_two(x)),
            ElementType::F8E5M2 => self.bytes(before, after, &E5M2),
            ElementType::F8E4M3 => self.bytes(before, after, &E4M3),
            ElementType::F8E4M3Fnuz => self.bytes(before, after, &E4M3_FNUZ),
            ElementType::F8E5M2Fnuz => self.bytes(before, after, &E5M2_FNUZ),
            ElementType::F4 => {
                let nibble = |x: u8| FINITE_E2M1.value(x.into());
                self.each(before, after, |[x]| nibble(x & 0xf));
                self.each(before, after, |[x]| nibble(x >> 4));
            }
            // How four of them lie in three bytes is not laid down.
            ElementType::F6E2M3 | ElementType::F6E3M2 => {}
        }
    }

    /// Counts elements and those whose bits differ.
    fn count(&mut self, before: &[u8], after: &[u8]) {
        match self.dtype.bits() {
            4 => {
                let pairs = before.iter().zip(after);
                let changed = |(a, b): (&u8, &u8)| {
                    u64::from((a ^ b) & 0xf != 0) + u64::from((a ^ b) & 0xf0 != 0)
                };
                self.changed += pairs.map(changed).sum::<u64>();
                self.elements += 2 * before.len() as u64;
            }
            16 => self.count_of::<2>(before, after),
            32 => self.count_of::<4>(before, after),
            64 => self.count_of::<8>(before, after),
            // Of elements of six bits, the bytes are counted, and only whether there are any is used.
            _ => self.count_of::<1>(before, after),
        }
    }

    fn count_of<const W: usize>(&mut self, before: &[u8], after: &[u8]) {
        let (before, after) = (before.as_chunks::<W>().0, after.as_chunks::<W>().0);
        let pairs = before.iter().zip(after);
        self.changed += pairs.map(|(a, b)| u64::from(a != b)).sum::<u64>();
        self.elements += before.len() as u64;
    }

    fn bytes(&mut self, before: &[u8], after: &[u8], format: &Minifloat) {
        let values: Vec<f64> = (0..256).map(|bits| format.value(bits)).collect();
        self.each(before, after, |[x]| values[usize::from(x)]);
    }

    fn each<const W: usize>(
        &mut self,
        before: &[u8],
        after: &[u8],
        value: impl Fn([u8; W]) -> f64,
    ) {
        self.pairs(before, after, |a, b| {
            let (a, b) = (value(a), value(b));
            (a, b, b - a)
        });
    }

    /// Integers whose difference a double would lose.
    #[expect(
        clippy::cast_precision_loss,
        reason = "rounds once, after the difference"
    )]
    fn integers(&mut self, before: &[u8], after: &[u8], value: impl Fn([u8; 8]) -> i128) {
        self.pairs(before, after, |a, b| {
            let (a, b) = (value(a), value(b));
            (a as f64, b as f64, (b - a) as f64)
        });
    }

    fn pairs<const W: usize>(
        &mut self,
        before: &[u8],
        after: &[u8],
        values: impl Fn([u8; W], [u8; W]) -> (f64, f64, f64),
    ) {
        let pairs = before.as_chunks().0.iter().zip(after.as_chunks().0);
        let (mut squares, mut squares_before, mut max) = (0.0, 0.0, self.max);
        for (a, b) in pairs {
            let (a, b, delta) = values(*a, *b);
            if a.is_finite() && b.is_finite() {
                squares += delta * delta;
                squares_before += a * a;
                max = f64::max(max, delta.abs());
            } else {
                self.not_finite(a, b);
            }
        }
        self.squares += squares;
        self.squares_before += squares_before;
        self.max = max;
    }

    #[cold]
    fn not_finite(&mut self, before: f64, after: f64) {
        for (side, value) in [before, after].into_iter().enumerate() {
            self.nan[side] += u64::from(value.is_nan());
            self.infinite[side] += u64::from(value.is_infinite());
        }
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.changed == 0
    }

    /// Returns the difference; `None` for types whose elements are not told apart.
    #[expect(clippy::cast_precision_loss, reason = "a fraction")]
    pub(super) fn difference(&self) -> Option<Difference> {
        (self.dtype.bits() != 6).then(|| Difference {
            elements: self.elements,
            changed: self.changed,
            fraction: self.changed as f64 / self.elements.max(1) as f64,
            norm: self.squares.sqrt().into(),
            norm_before: self.squares_before.sqrt().into(),
            max: self.max.into(),
            nan_before: self.nan[0],
            nan_after: self.nan[1],
            infinite_before: self.infinite[0],
            infinite_after: self.infinite[1],
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a single holds every half")]
static HALF: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..=0xffff)
        .map(|bits| IEEE_HALF.value(bits) as f32)
        .collect()
});

fn power_of_two(exponent: u8) -> f64 {
    match exponent {
        255 => f64::NAN,
        exponent => f64::powi(2.0, i32::from(exponent) - 127),
    }
}
