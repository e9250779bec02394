//! How far the elements of a tensor moved.

use std::sync::LazyLock;

use serde::Serialize;

use super::element::ElementType;
use super::minifloat::{E4M3, E4M3_FNUZ, E5M2, E5M2_FNUZ, FINITE_E2M1, half, power_of_two};
use super::sums::Sums;
use crate::metric::Metric;

/// How two tensors of one type and shape differ.
///
/// The norms are over the elements that are finite on both sides: in double precision, Euclidean, and
/// of the real and imaginary parts of complex ones. A square beyond 10³⁰⁸ makes them infinite. Their
/// relative error is below 10⁻¹² for tensors of up to 16 GiB, since squares are added up in blocks and
/// those in larger ones; and the same tensors give the same bits, however they are stored and however
/// many threads read them.
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
    sums: Sums,
}

impl Tally {
    pub(super) fn new(dtype: ElementType) -> Self {
        Self {
            dtype,
            elements: 0,
            changed: 0,
            sums: Sums::default(),
        }
    }

    /// Adds the next bytes of both sides: equally many, and whole units of the type.
    pub(super) fn add(&mut self, before: &[u8], after: &[u8]) {
        self.count(before, after);
        let sums = &mut self.sums;
        match self.dtype {
            ElementType::Bool | ElementType::U8 => sums.add(before, after, |[x]| f32::from(x)),
            ElementType::I8 => sums.add(before, after, |x| f32::from(i8::from_le_bytes(x))),
            ElementType::I16 => sums.add(before, after, |x| f32::from(i16::from_le_bytes(x))),
            ElementType::U16 => sums.add(before, after, |x| f32::from(u16::from_le_bytes(x))),
            ElementType::I32 => sums.add(before, after, |x| f64::from(i32::from_le_bytes(x))),
            ElementType::U32 => sums.add(before, after, |x| f64::from(u32::from_le_bytes(x))),
            ElementType::F32 | ElementType::C64 => sums.add(before, after, f32::from_le_bytes),
            ElementType::F64 => sums.add(before, after, f64::from_le_bytes),
            ElementType::Bf16 => sums.add(before, after, |[low, high]| {
                f32::from_le_bytes([0, 0, low, high])
            }),
            ElementType::F16 => sums.add(before, after, |x| half(u16::from_le_bytes(x))),
            ElementType::I64 => sums.add_integers(before, after, |x| i64::from_le_bytes(x).into()),
            ElementType::U64 => sums.add_integers(before, after, |x| u64::from_le_bytes(x).into()),
            ElementType::F8E8M0 => self.look_up(before, after, &POWERS),
            ElementType::F8E5M2 => self.look_up(before, after, &E5M2_VALUES),
            ElementType::F8E4M3 => self.look_up(before, after, &E4M3_VALUES),
            ElementType::F8E4M3Fnuz => self.look_up(before, after, &E4M3_FNUZ_VALUES),
            ElementType::F8E5M2Fnuz => self.look_up(before, after, &E5M2_FNUZ_VALUES),
            ElementType::F4 => {
                let nibbles: &Values = &E2M1_VALUES;
                sums.add(before, after, |[x]| nibbles[usize::from(x & 0xf)]);
                sums.add(before, after, |[x]| nibbles[usize::from(x >> 4)]);
            }
            // How four of them lie in three bytes is not laid down.
            ElementType::F6E2M3 | ElementType::F6E3M2 => {}
        }
    }

    /// Adds what was added up of the bytes that follow.
    pub(super) fn append(&mut self, next: &Self) {
        self.elements += next.elements;
        self.changed += next.changed;
        self.sums.append(&next.sums);
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
        /// So few that a byte counts them: wider counters would be most of the work.
        const FEW: usize = 128;
        let (before, after) = (before.as_chunks::<W>().0, after.as_chunks::<W>().0);
        for (before, after) in before.chunks(FEW).zip(after.chunks(FEW)) {
            let pairs = before.iter().zip(after);
            let changed: u8 = pairs.map(|(a, b)| u8::from(a != b)).sum();
            self.changed += u64::from(changed);
        }
        self.elements += before.len() as u64;
    }

    fn look_up(&mut self, before: &[u8], after: &[u8], values: &Values) {
        self.sums.add(before, after, |[x]| values[usize::from(x)]);
    }

    pub(super) fn is_unchanged(&self) -> bool {
        self.changed == 0
    }

    /// Returns the difference; `None` for types whose elements are not told apart.
    #[expect(clippy::cast_precision_loss, reason = "a fraction")]
    pub(super) fn difference(&self) -> Option<Difference> {
        let sums = &self.sums;
        (self.dtype.bits() != 6).then(|| Difference {
            elements: self.elements,
            changed: self.changed,
            fraction: self.changed as f64 / self.elements.max(1) as f64,
            norm: sums.squares.sqrt().into(),
            norm_before: sums.squares_before.sqrt().into(),
            max: sums.max.into(),
            nan_before: sums.nan[0],
            nan_after: sums.nan[1],
            infinite_before: sums.infinite[0],
            infinite_after: sums.infinite[1],
        })
    }
}

/// The number that each byte is.
type Values = [f32; 256];

static E5M2_VALUES: LazyLock<Values> = LazyLock::new(|| E5M2.values());
static E4M3_VALUES: LazyLock<Values> = LazyLock::new(|| E4M3.values());
static E4M3_FNUZ_VALUES: LazyLock<Values> = LazyLock::new(|| E4M3_FNUZ.values());
static E5M2_FNUZ_VALUES: LazyLock<Values> = LazyLock::new(|| E5M2_FNUZ.values());
static E2M1_VALUES: LazyLock<Values> = LazyLock::new(|| FINITE_E2M1.values());
static POWERS: LazyLock<Values> = LazyLock::new(power_of_two);
