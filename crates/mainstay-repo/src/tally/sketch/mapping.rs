//! Which bin a value is in: the logarithmic mapping of the DDSketch paper.

use std::ops::RangeInclusive;

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The least magnitude that has a bin, 2⁻⁴⁰; what is smaller counts as zero.
const LEAST: f64 = 9.094_947_017_729_282e-13;
/// The greatest magnitude that can be observed, 2⁶⁰.
const GREATEST: f64 = 1_152_921_504_606_846_976.0;

/// How exact the quantiles of a sketch are: the relative error of a value, in hundredths of a
/// percent, 10 to 2,500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Accuracy(u16);

impl Accuracy {
    /// Quantiles are off by at most one percent of their value: about 115 bins for values that
    /// spread over a factor of ten.
    pub const ONE_PERCENT: Self = Self(100);

    /// Allows a relative error of so many hundredths of a percent.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is not between 10 and 2,500: 0.1 % and
    /// 25 %.
    pub fn from_basis_points(basis_points: u16) -> Result<Self> {
        if (10..=2_500).contains(&basis_points) {
            Ok(Self(basis_points))
        } else {
            let error = Error::invalid("the accuracy of a sketch is 10 to 2,500 basis points");
            Err(error.context("basis_points", basis_points))
        }
    }

    /// Returns the relative error in hundredths of a percent.
    #[must_use]
    pub const fn basis_points(self) -> u16 {
        self.0
    }

    /// Returns the relative error: α in the paper.
    #[must_use]
    pub fn relative_error(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

/// The bins of one accuracy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::tally) struct Mapping {
    log_gamma: f64,
    /// What stands for a bin, relative to its upper end.
    center: f64,
}

impl Mapping {
    pub(in crate::tally) fn new(accuracy: Accuracy) -> Self {
        let alpha = accuracy.relative_error();
        let gamma = (1.0 + alpha) / (1.0 - alpha);
        Self {
            log_gamma: libm::log(gamma),
            center: 2.0 / (gamma + 1.0),
        }
    }

    /// Returns the bin of a value: `ceil(log_γ |x|)` on the side of its sign.
    ///
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when it is not finite, or beyond ±2⁶⁰.
    pub(in crate::tally) fn bin(&self, value: f64) -> Result<Bin> {
        let magnitude = value.abs();
        if magnitude < LEAST {
            Ok(Bin::Zero)
        } else if magnitude <= GREATEST {
            let index = self.index(magnitude);
            Ok(if value > 0.0 {
                Bin::Positive(index)
            } else {
                Bin::Negative(index)
            })
        } else {
            Err(Error::invalid("only numbers within ±2^60 can be observed").context("value", value))
        }
    }

    /// Returns the value that stands for a bin: `2 γ^i / (γ + 1)`, no further than α from any value
    /// in it, relative to that value.
    pub(super) fn value(&self, bin: Bin) -> f64 {
        let of = |index: i32| libm::exp(f64::from(index) * self.log_gamma) * self.center;
        match bin {
            Bin::Negative(index) => -of(index),
            Bin::Zero => 0.0,
            Bin::Positive(index) => of(index),
        }
    }

    /// Returns which indices a bin can have, however logarithms are rounded.
    pub(super) fn indices(&self) -> RangeInclusive<i32> {
        self.index(LEAST) - 1..=self.index(GREATEST) + 1
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and of magnitude below 2^15"
    )]
    fn index(&self, magnitude: f64) -> i32 {
        // Of this crate and not of the platform, so that a value has the same bin everywhere.
        (libm::log(magnitude) / self.log_gamma).ceil() as i32
    }
}

impl TryFrom<u16> for Accuracy {
    type Error = Error;

    fn try_from(basis_points: u16) -> Result<Self> {
        Self::from_basis_points(basis_points)
    }
}

impl From<Accuracy> for u16 {
    fn from(accuracy: Accuracy) -> Self {
        accuracy.0
    }
}

/// Where a value is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tally) enum Bin {
    Negative(i32),
    Zero,
    Positive(i32),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_cannot_be_observed_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, -f64::INFINITY, 2.0 * GREATEST] {
            assert!(
                Mapping::new(Accuracy::ONE_PERCENT).bin(bad).is_err(),
                "{bad}"
            );
        }
        for bad in [0, 9, 2_501] {
            assert!(Accuracy::from_basis_points(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn indices_are_bounded() {
        let bins = |points| {
            let mapping = Mapping::new(Accuracy::from_basis_points(points).unwrap());
            (mapping.index(LEAST), mapping.index(GREATEST))
        };
        assert_eq!(bins(100), (-1_386, 2_080));
        assert_eq!(bins(10), (-13_862, 20_795));
    }

    proptest! {
        #[test]
        fn a_bin_stands_for_its_values_within_the_accuracy(
            log in -27.7..41.5_f64, negative: bool, points in 10..=2_500_u16
        ) {
            let accuracy = Accuracy::from_basis_points(points).unwrap();
            let value = if negative { -log.exp() } else { log.exp() };
            let mapping = Mapping::new(accuracy);
            let estimate = mapping.value(mapping.bin(value).unwrap());
            let error = ((estimate - value) / value).abs();
            prop_assert!(error <= accuracy.relative_error() + 1e-9, "{} for {}", estimate, value);
        }
    }
}
