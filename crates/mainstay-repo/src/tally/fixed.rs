//! Sums of numbers that are the same in whatever order they are added.

use std::fmt;

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The greatest magnitude of a number that can be added.
const MAX_ADDED: f64 = 9_007_199_254_740_992.0;
/// The greatest magnitude of a stored sum in units: millions of them add up without overflow.
pub(super) const MAX_UNITS: i128 = 1 << 104;

/// How fine a sum is: it counts in units of 2 to the minus so many, 0 to 40.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Scale(u8);

impl Scale {
    /// Units of 2⁻³², about 2 · 10⁻¹⁰.
    pub const BITS_32: Self = Self(32);
    /// Whole numbers.
    pub const INTEGER: Self = Self(0);

    /// Counts in units of 2 to the minus `bits`.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when `bits` is greater than 40.
    pub fn new(bits: u8) -> Result<Self> {
        if bits <= 40 {
            Ok(Self(bits))
        } else {
            Err(Error::invalid("the scale of a sum is 0 to 40 bits").context("bits", bits))
        }
    }

    /// Returns the binary digits after the point.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Rounds a number to units, ties to even.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is not finite, or beyond ±2⁵³.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and of magnitude at most 2^93"
    )]
    pub(super) fn units(self, value: f64) -> Result<i128> {
        if value.abs() <= MAX_ADDED {
            // A power of two: exact.
            Ok((value * self.units_of_one()).round_ties_even() as i128)
        } else {
            Err(Error::invalid("only numbers within ±2^53 can be added").context("value", value))
        }
    }

    fn units_of_one(self) -> f64 {
        f64::from(self.0).exp2()
    }
}

impl TryFrom<u8> for Scale {
    type Error = Error;

    fn try_from(bits: u8) -> Result<Self> {
        Self::new(bits)
    }
}

impl From<Scale> for u8 {
    fn from(scale: Scale) -> Self {
        scale.0
    }
}

/// An exact sum in fixed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FixedSum {
    units: i128,
    scale: Scale,
}

impl FixedSum {
    pub(super) fn new(units: i128, scale: Scale) -> Self {
        Self { units, scale }
    }

    /// Returns the exact sum in units of its scale.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.units
    }

    /// Returns the scale.
    #[must_use]
    pub const fn scale(self) -> Scale {
        self.scale
    }

    /// Returns the sum, rounded to a double.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "documented")]
    pub fn to_f64(self) -> f64 {
        self.units as f64 / self.scale.units_of_one()
    }
}

impl fmt::Display for FixedSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_f64(), f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_summed_is_refused() {
        for bad in [
            f64::NAN,
            f64::INFINITY,
            -f64::INFINITY,
            9_007_199_254_740_994.0,
            -1e300,
        ] {
            assert!(Scale::BITS_32.units(bad).is_err(), "{bad}");
        }
        assert!(Scale::new(41).is_err());
    }

    #[test]
    fn halves_of_a_unit_go_to_the_even_one() {
        let units = |value| Scale::INTEGER.units(value).unwrap();
        assert_eq!([0.5, 1.5, 2.5, -0.5, -1.5].map(units), [0, 2, 2, 0, -2]);
        assert_eq!(Scale::new(40).unwrap().units(MAX_ADDED).unwrap(), 1 << 93);
        assert_eq!(Scale::new(2).unwrap().units(0.75).unwrap(), 3);
    }

    proptest! {
        #[test]
        fn a_sum_is_within_half_a_unit_for_each_number(
            values in proptest::collection::vec(-1e6..1e6_f64, 0..100), bits in 0..=40_u8
        ) {
            let scale = Scale::new(bits).unwrap();
            let units = values.iter().map(|value| scale.units(*value).unwrap()).sum();
            let exact: f64 = values.iter().sum();
            let count = u32::try_from(values.len()).unwrap();
            let bound = f64::from(count) * (0.5 / scale.units_of_one() + 1e-9);
            prop_assert!((FixedSum::new(units, scale).to_f64() - exact).abs() <= bound);
        }
    }
}
