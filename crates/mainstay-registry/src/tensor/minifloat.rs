//! Floating-point numbers of few bits.
//!
//! Sources: IEEE 754-2019 §3.4; OCP 8-bit Floating Point Specification 1.0, table 1; OCP Microscaling
//! Formats 1.0, §5.3; for FNUZ Noune et al., "8-bit Numerical Formats for Deep Neural Networks" (2022).

/// A format: a sign, an exponent, a mantissa.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minifloat {
    exponent_bits: u32,
    mantissa_bits: u32,
    bias: i32,
    special: Special,
}

/// Which bits are no finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Special {
    /// The greatest exponent: infinity, and NaN where the mantissa is not zero.
    Ieee,
    /// All of exponent and mantissa set: NaN.
    AllOnes,
    /// Negative zero: NaN.
    NegativeZero,
    /// None.
    Nothing,
}

const fn format(exponent_bits: u32, mantissa_bits: u32, bias: i32, special: Special) -> Minifloat {
    Minifloat {
        exponent_bits,
        mantissa_bits,
        bias,
        special,
    }
}

#[cfg(test)]
const IEEE_HALF: Minifloat = format(5, 10, 15, Special::Ieee);
pub(super) const E5M2: Minifloat = format(5, 2, 15, Special::Ieee);
pub(super) const E4M3: Minifloat = format(4, 3, 7, Special::AllOnes);
pub(super) const E4M3_FNUZ: Minifloat = format(4, 3, 8, Special::NegativeZero);
pub(super) const E5M2_FNUZ: Minifloat = format(5, 2, 16, Special::NegativeZero);
pub(super) const FINITE_E2M1: Minifloat = format(2, 1, 1, Special::Nothing);

impl Minifloat {
    /// Returns the number that these bits are; every one is exact as a double.
    pub(super) fn value(&self, bits: u32) -> f64 {
        let mantissa = bits & ((1 << self.mantissa_bits) - 1);
        let exponent = (bits >> self.mantissa_bits) & ((1 << self.exponent_bits) - 1);
        let is_negative = bits >> (self.mantissa_bits + self.exponent_bits) & 1 == 1;
        let sign = if is_negative { -1.0 } else { 1.0 };
        let greatest = exponent == (1 << self.exponent_bits) - 1;
        let all_ones = greatest && mantissa == (1 << self.mantissa_bits) - 1;
        match self.special {
            Special::Ieee if greatest && mantissa == 0 => return sign * f64::INFINITY,
            Special::Ieee if greatest => return f64::NAN,
            Special::AllOnes if all_ones => return f64::NAN,
            Special::NegativeZero if is_negative && exponent == 0 && mantissa == 0 => {
                return f64::NAN;
            }
            _ => {}
        }
        let (significand, exponent) = match exponent {
            0 => (mantissa, 1),
            exponent => (mantissa | 1 << self.mantissa_bits, exponent),
        };
        let scale = exponent.cast_signed() - self.bias - self.mantissa_bits.cast_signed();
        sign * f64::from(significand) * f64::powi(2.0, scale)
    }

    /// Returns the number that each byte is; of a format of fewer bits, that its lowest bits are.
    #[expect(clippy::cast_possible_truncation, reason = "a single holds every one")]
    pub(super) fn values(&self) -> [f32; 256] {
        let mut values = [0.0; 256];
        for (value, bits) in values.iter_mut().zip(0..) {
            *value = self.value(bits) as f32;
        }
        values
    }
}

/// Returns the power of two that each byte is the exponent of, by OCP's E8M0; the last is NaN.
#[expect(clippy::cast_possible_truncation, reason = "a single holds every one")]
pub(super) fn power_of_two() -> [f32; 256] {
    let mut values = [f32::NAN; 256];
    for (value, exponent) in values.iter_mut().zip(-127..128) {
        *value = f64::powi(2.0, exponent) as f32;
    }
    values
}

/// Returns the number that the bits of an IEEE half are.
///
/// The same as [`Minifloat::value`] without a branch, so that loops compile to vector instructions: the
/// exponent is moved to that of a single, once more where it is the greatest one, and what has the least
/// one is normalized by taking away the leading bit it is given.
pub(super) fn half(bits: u16) -> f32 {
    const MANTISSA: u32 = 23;
    const EXPONENTS: u32 = 31 << MANTISSA;
    const MOVED: u32 = (127 - 15) << MANTISSA;
    let all_if = |met: bool| if met { u32::MAX } else { 0 };
    let bits = u32::from(bits);
    let magnitude = (bits & 0x7fff) << (MANTISSA - 10);
    let least = all_if(magnitude & EXPONENTS == 0);
    let greatest = all_if(magnitude & EXPONENTS == EXPONENTS);
    let moved = magnitude + MOVED + (greatest & MOVED) + (least & 1 << MANTISSA);
    let magnitude = f32::from_bits(moved) - f32::from_bits(least & (MOVED + (1 << MANTISSA)));
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_those_of_the_half_crate() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (IEEE_HALF.value(bits.into()), half::f16::from_bits(bits));
            assert!(
                ours.to_bits() == theirs.to_f64().to_bits() || ours.is_nan() && theirs.is_nan(),
                "{bits:#x}: {ours} {theirs}"
            );
        }
    }

    #[test]
    fn halves_without_branches_are_the_same() {
        for bits in 0..=u16::MAX {
            let (quick, exact) = (f64::from(half(bits)), IEEE_HALF.value(bits.into()));
            assert!(
                same(quick, exact) || quick.is_nan() && exact.is_nan(),
                "{bits:#x}: {quick} {exact}"
            );
        }
    }

    fn greatest(format: &Minifloat, bits: u32) -> f64 {
        let values = (0..1 << bits).map(|bits| format.value(bits));
        values.filter(|value| value.is_finite()).fold(0.0, f64::max)
    }

    fn least(format: &Minifloat, bits: u32) -> f64 {
        let values = (0..1 << bits).map(|bits| format.value(bits));
        values
            .filter(|value| *value > 0.0)
            .fold(f64::INFINITY, f64::min)
    }

    fn same(a: f64, b: f64) -> bool {
        a.to_bits() == b.to_bits()
    }

    fn nans(format: &Minifloat, bits: u32) -> usize {
        let values = (0..1 << bits).map(|bits| format.value(bits));
        values.filter(|value| value.is_nan()).count()
    }

    /// The tables of the specifications.
    #[test]
    fn the_limits_are_those_of_the_specifications() {
        let power = |exponent| f64::powi(2.0, exponent);
        for (format, bits, max, min, nan) in [
            (E5M2, 8, 57_344.0, power(-16), 6),
            (E4M3, 8, 448.0, power(-9), 2),
            (E4M3_FNUZ, 8, 240.0, power(-10), 1),
            (E5M2_FNUZ, 8, 57_344.0, power(-17), 1),
            (FINITE_E2M1, 4, 6.0, 0.5, 0),
        ] {
            assert!(same(greatest(&format, bits), max), "{format:?}");
            assert!(same(least(&format, bits), min), "{format:?}");
            assert_eq!(nans(&format, bits), nan, "{format:?}");
        }
        let e2m1: Vec<f64> = (0..8).map(|bits| FINITE_E2M1.value(bits)).collect();
        assert_eq!(e2m1, [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]);
    }
}
