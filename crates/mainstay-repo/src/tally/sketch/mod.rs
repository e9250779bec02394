//! DDSketch: quantiles with a bounded relative error, exactly mergeable.
//!
//! After Masson, Rim, Lee: *DDSketch: A Fast and Fully-Mergeable Quantile Sketch with
//! Relative-Error Guarantees*, PVLDB 12 (12), 2019: logarithmic bins that count. Written here since
//! merging must give identical bytes in any order: the published crates keep a floating-point sum
//! beside the bins, and lay the bins out by the order in which values came. Bins are never
//! collapsed, which bounds the error of every quantile; the range of values bounds their number.

mod mapping;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use mainstay_core::{Error, Result};
use serde::{Deserialize, Serialize};

pub use self::mapping::Accuracy;
pub(super) use self::mapping::{Bin, Mapping};

/// The greatest count of a stored bin: canonical JSON spells it with its own digits.
const MAX_COUNT: u64 = (1 << 53) - 1;

/// How many values were observed in each bin, and the least and greatest of them.
///
/// Counts stop at the greatest `u64` instead of going around.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Bins {
    negative: BTreeMap<i32, u64>,
    zeros: u64,
    positive: BTreeMap<i32, u64>,
    /// `None` when nothing was observed.
    extremes: Option<(f64, f64)>,
}

impl Bins {
    /// Counts a value in its bin.
    pub(super) fn count(&mut self, bin: Bin, value: f64) {
        let counter = match bin {
            Bin::Negative(index) => self.negative.entry(index).or_default(),
            Bin::Zero => &mut self.zeros,
            Bin::Positive(index) => self.positive.entry(index).or_default(),
        };
        *counter = counter.saturating_add(1);
        self.stretch(value, value);
    }

    /// Adds what `other` counted.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, other) in [
            (&mut self.negative, &other.negative),
            (&mut self.positive, &other.positive),
        ] {
            for (index, count) in other {
                let counter = mine.entry(*index).or_default();
                *counter = counter.saturating_add(*count);
            }
        }
        self.zeros = self.zeros.saturating_add(other.zeros);
        if let Some((min, max)) = other.extremes {
            self.stretch(min, max);
        }
    }

    fn stretch(&mut self, min: f64, max: f64) {
        // Without the sign of zero, which would be written and read back as none.
        let (min, max) = (min + 0.0, max + 0.0);
        self.extremes = Some(match self.extremes {
            Some((least, greatest)) => (least.min(min), greatest.max(max)),
            None => (min, max),
        });
    }

    /// The bins in the order of their values.
    fn ascending(&self) -> impl Iterator<Item = (Bin, u64)> {
        let negative = self.negative.iter().rev();
        let negative = negative.map(|(index, count)| (Bin::Negative(*index), *count));
        let zeros = (self.zeros > 0).then_some((Bin::Zero, self.zeros));
        let positive = self.positive.iter();
        let positive = positive.map(|(index, count)| (Bin::Positive(*index), *count));
        negative.chain(zeros).chain(positive)
    }
}

/// What was observed of a distribution; see [`Totals::sketch`](super::Totals::sketch).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sketch<'a> {
    bins: &'a Bins,
    accuracy: Accuracy,
}

impl<'a> Sketch<'a> {
    pub(super) fn new(bins: &'a Bins, accuracy: Accuracy) -> Self {
        Self { bins, accuracy }
    }

    /// Returns how exact [`quantile`](Self::quantile) is.
    #[must_use]
    pub fn accuracy(&self) -> Accuracy {
        self.accuracy
    }

    /// Returns how many values were observed.
    #[must_use]
    pub fn count(&self) -> u64 {
        let counts = self.bins.ascending().map(|(_, count)| count);
        counts.fold(0, u64::saturating_add)
    }

    /// Returns the least value, exactly; `None` when none was observed.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.bins.extremes.map(|(min, _)| min)
    }

    /// Returns the greatest value, exactly; `None` when none was observed.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.bins.extremes.map(|(_, max)| max)
    }

    /// Estimates the `q`-quantile, `q` from 0 to 1: the value of rank `⌊q (n − 1)⌋`, counted from 0,
    /// among the `n` observed in ascending order.
    ///
    /// Off by at most the [accuracy](Self::accuracy) relative to that value, or by 2⁻⁴⁰ where that
    /// is more. `None` when nothing was observed, or `q` is no such number. Complexity: O(bins).
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank within the count; beyond 2^53 values ranks are as exact as doubles"
    )]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let (min, max) = self.bins.extremes?;
        if !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = (q * (self.count().saturating_sub(1)) as f64) as u64;
        let mapping = Mapping::new(self.accuracy);
        let mut below: u64 = 0;
        for (bin, count) in self.bins.ascending() {
            below = below.saturating_add(count);
            if below > rank {
                return Some(mapping.value(bin).clamp(min, max));
            }
        }
        Some(max)
    }
}

/// How bins are written: `[index, count]` for each bin that counted, indices ascending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BinsRecord {
    negative: Vec<(i32, u64)>,
    zeros: u64,
    positive: Vec<(i32, u64)>,
    min: f64,
    max: f64,
}

impl BinsRecord {
    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when nothing was observed, or a count is beyond
    /// 2⁵³ − 1.
    pub(super) fn of(bins: &Bins) -> Result<Self> {
        let Some((min, max)) = bins.extremes else {
            return Err(Error::invalid("a sketch of nothing"));
        };
        if bins.ascending().any(|(_, count)| count > MAX_COUNT) {
            return Err(Error::invalid(
                "a bin of a sketch counts more than 2^53 - 1",
            ));
        }
        let pairs = |bins: &BTreeMap<i32, u64>| bins.iter().map(|(i, n)| (*i, *n)).collect();
        Ok(Self {
            negative: pairs(&bins.negative),
            zeros: bins.zeros,
            positive: pairs(&bins.positive),
            min,
            max,
        })
    }

    /// # Errors
    /// [`Invalid`](mainstay_core::ErrorKind::Invalid) when this is not what [`of`](Self::of) makes of
    /// any observed values.
    pub(super) fn to_bins(&self, accuracy: Accuracy) -> Result<Bins> {
        let refuse = |why| Err(Error::invalid(why));
        let mapping = Mapping::new(accuracy);
        let indices = mapping.indices();
        for side in [&self.negative, &self.positive] {
            if !side.is_sorted_by(|(a, _), (b, _)| a < b) {
                return refuse("bins are not in order");
            }
            if side
                .iter()
                .any(|(index, count)| !indices.contains(index) || !(1..=MAX_COUNT).contains(count))
            {
                return refuse("a bin that cannot be");
            }
        }
        // Not compared with the bins: a logarithm may come to be rounded otherwise.
        for extreme in [self.min, self.max] {
            mapping.bin(extreme)?;
        }
        let counted = !self.negative.is_empty() || self.zeros > 0 || !self.positive.is_empty();
        if self.zeros > MAX_COUNT || !counted || self.min > self.max {
            return refuse("a least or greatest value that cannot be");
        }
        Ok(Bins {
            negative: self.negative.iter().copied().collect(),
            zeros: self.zeros,
            positive: self.positive.iter().copied().collect(),
            extremes: Some((self.min, self.max)),
        })
    }
}
