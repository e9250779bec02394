//! Mean, standard deviation and percentiles of numbers in one pass.

use tdigest::TDigest;

use super::NumericStats;

/// Percentiles are exact up to so many values.
const EXACT_VALUES: usize = 4_096;
/// How many centroids the sketch of more values keeps.
const CENTROIDS: usize = 256;
/// How many values are added to the sketch together.
const SKETCHED_VALUES: usize = 5 * CENTROIDS;
/// One percentile for each per cent, 0 and 100 included.
pub(crate) const PERCENTILES: u8 = 101;

/// Gathers finite numbers.
///
/// Moments by Welford's method (*Technometrics* 4, 1962); percentiles exact up to 4,096 values, then
/// from a merging t-digest (Dunning and Ertl, *Computing extremely accurate quantiles using
/// t-digests*, 2019) of 256 centroids.
#[derive(Debug)]
pub(super) struct NumericCollector {
    count: u64,
    mean: f64,
    /// The sum of squared distances from the mean.
    squares: f64,
    /// The values that are not in the sketch.
    values: Vec<f64>,
    /// When there are so many, they go into the sketch.
    room: usize,
    /// `None` until there are too many values to keep.
    sketch: Option<Box<TDigest>>,
}

impl NumericCollector {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            mean: 0.0,
            squares: 0.0,
            values: Vec::new(),
            room: EXACT_VALUES + 1,
            sketch: None,
        }
    }

    /// Adds a finite number.
    #[inline]
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        let distance = value - self.mean;
        self.mean += distance / float(self.count);
        self.squares += distance * (value - self.mean);
        self.values.push(value);
        if self.values.len() == self.room {
            self.sketch();
        }
    }

    /// Moves what is a multiple of 1,280 values into the sketch.
    #[cold]
    #[inline(never)]
    fn sketch(&mut self) {
        let sketch = self
            .sketch
            .get_or_insert_with(|| Box::new(TDigest::new_with_size(CENTROIDS)));
        let whole = self.values.len() / SKETCHED_VALUES * SKETCHED_VALUES;
        for values in self.values[..whole].chunks(SKETCHED_VALUES) {
            **sketch = merged(sketch, values);
        }
        self.values.drain(..whole);
        self.room = SKETCHED_VALUES;
    }

    /// Returns the distribution; `None` when no number was added.
    pub(super) fn finish(self) -> Option<NumericStats> {
        if self.count == 0 {
            return None;
        }
        let finite = |number: f64| number.is_finite().then_some(number);
        Some(NumericStats {
            finite: self.count,
            mean: finite(self.mean),
            std_dev: finite((self.squares / float(self.count)).sqrt()),
            percentiles: match self.sketch {
                None => exact_percentiles(self.values),
                Some(sketch) => sketched_percentiles(&merged(&sketch, &self.values)),
            },
        })
    }
}

/// Interpolates between order statistics: type 7 of Hyndman and Fan, *Sample quantiles in statistical
/// packages*, The American Statistician 50, 1996.
fn exact_percentiles(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len() - 1;
    (0..usize::from(PERCENTILES))
        .map(|percent| {
            // At most 4,096 values, so the products stay small.
            let (below, rest) = (last * percent / 100, last * percent % 100);
            let above = values[(below + 1).min(last)];
            let share = float(rest as u64) / 100.0;
            // Not a difference, which could overflow.
            let between = values[below] * (1.0 - share) + above * share;
            between.clamp(values[below], above)
        })
        .collect()
}

/// Adds values to a sketch.
fn merged(sketch: &TDigest, values: &[f64]) -> TDigest {
    let mut ordered: Vec<i64> = values.iter().map(|value| ordered_bits(*value)).collect();
    // As integers they are compared by one instruction.
    ordered.sort_unstable();
    let sorted = ordered.into_iter().map(of_ordered_bits);
    sketch.merge_sorted(sorted.collect())
}

/// Returns bits that are ordered as [`f64::total_cmp`] orders values.
fn ordered_bits(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    bits ^ (bits >> 63).cast_unsigned().wrapping_shr(1).cast_signed()
}

fn of_ordered_bits(bits: i64) -> f64 {
    let bits = bits ^ (bits >> 63).cast_unsigned().wrapping_shr(1).cast_signed();
    f64::from_bits(bits.cast_unsigned())
}

fn sketched_percentiles(sketch: &TDigest) -> Vec<f64> {
    let shares: Vec<f64> = (0..PERCENTILES).map(|p| f64::from(p) / 100.0).collect();
    let (min, max) = (sketch.min(), sketch.max());
    let mut percentiles: Vec<f64> = sketch.quantiles(&shares).into_iter().flatten().collect();
    if let ([first, .., last], Some(min), Some(max)) = (&mut percentiles[..], min, max) {
        (*first, *last) = (min, max);
    }
    let mut highest = f64::NEG_INFINITY;
    for percentile in &mut percentiles {
        highest = highest.max(*percentile);
        *percentile = highest;
    }
    percentiles
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts beyond 2^53 do not occur, and would only round"
)]
#[inline]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn collected(values: impl IntoIterator<Item = f64>) -> NumericStats {
        let mut collector = NumericCollector::new();
        values.into_iter().for_each(|value| collector.add(value));
        collector.finish().unwrap()
    }

    #[test]
    fn the_moments_are_those_of_the_population() {
        let stats = collected([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!((stats.mean, stats.std_dev), (Some(5.0), Some(2.0)));
    }

    #[test]
    fn few_values_have_exact_percentiles() {
        let stats = collected((0..=1_000).rev().map(f64::from));
        let expected: Vec<f64> = (0..=100).map(|percent| f64::from(percent * 10)).collect();
        assert_eq!(stats.percentiles, expected);
    }

    #[test]
    fn many_values_have_percentiles_within_half_a_per_cent_of_rank() {
        // A permutation of 0..100,003, a prime.
        let stats = collected((0..100_003_u32).map(|i| f64::from(i * 7_919 % 100_003)));
        for (percent, value) in stats.percentiles.iter().enumerate() {
            let rank = value / 100_002.0;
            assert!(
                (rank - float(percent as u64) / 100.0).abs() < 0.005,
                "{percent}: {value}"
            );
        }
    }

    #[test]
    fn moments_that_overflow_are_absent() {
        let stats = collected([f64::MAX, f64::MIN]);
        assert_eq!(stats.std_dev, None);
        assert_eq!(stats.percentiles.first(), Some(&f64::MIN));
    }

    proptest! {
        #[test]
        fn a_sketch_is_that_of_pushing_value_by_value(
            values in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, 4_090..12_000)
        ) {
            let mut sketch = TDigest::new_with_size(CENTROIDS);
            sketch.extend_values(values.iter().copied());
            sketch.flush();
            let stats = collected(values.iter().copied());
            if values.len() > EXACT_VALUES {
                prop_assert_eq!(stats.percentiles, sketched_percentiles(&sketch));
            }
        }

        #[test]
        fn percentiles_never_decrease_and_end_at_the_extremes(
            values in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::ZERO, 1..6_000)
        ) {
            let stats = collected(values.iter().copied());
            prop_assert_eq!(stats.percentiles.len(), 101);
            prop_assert!(stats.percentiles.is_sorted());
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(stats.percentiles.first(), sorted.first());
            prop_assert_eq!(stats.percentiles.last(), sorted.last());
        }
    }
}
