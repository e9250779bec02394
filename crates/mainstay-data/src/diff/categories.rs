//! Drift of categories: a test of independence, and which are new or gone.

use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::distribution::Categories;
use crate::stats::ScalarValue;

/// Pearson's test of whether a category, or a bucket of texts, depends on the side it is counted on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChiSquare {
    /// Σ (observed − expected)² / expected over the two rows and all categories; 0 or more.
    pub statistic: f64,
    /// Degrees of freedom: one less than there are categories; at least 1.
    pub freedom: u32,
    /// How likely a statistic as great is when nothing drifted: 0 to 1. An approximation, rough where
    /// fewer than five values are expected in a category.
    pub p_value: f64,
    /// The strength of the dependence, whatever the number of rows: √(statistic / rows); 0 to 1.
    pub cramers_v: f64,
}

/// Categories that only one side has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CategoryDrift {
    /// Those that only the later side has, in order.
    pub new: Vec<ScalarValue>,
    /// Those that only the earlier side has, in order.
    pub vanished: Vec<ScalarValue>,
    /// The share of the later values that are new categories: 0 to 1.
    pub new_share: f64,
}

impl ChiSquare {
    /// Tests counts of categories; `None` with fewer than two categories, or an empty side.
    ///
    /// Sources: Pearson, *On the criterion that a given system of deviations …*, Philosophical Magazine
    /// 50, 1900; Cramér, *Mathematical Methods of Statistics*, 1946, 21.9.
    pub(super) fn of(counts: &[(f64, f64)]) -> Option<Self> {
        let before: f64 = counts.iter().map(|(count, _)| count).sum();
        let after: f64 = counts.iter().map(|(_, count)| count).sum();
        let total = before + after;
        let freedom = u32::try_from(counts.len()).ok()?.checked_sub(1)?;
        if before <= 0.0 || after <= 0.0 {
            return None;
        }
        let distribution = ChiSquared::new(f64::from(freedom)).ok()?;
        let part = |observed: f64, side: f64, both: f64| {
            let expected = side * both / total;
            (observed - expected).powi(2) / expected
        };
        let parts = counts
            .iter()
            .map(|&(a, b)| part(a, before, a + b) + part(b, after, a + b));
        let statistic: f64 = parts.sum();
        Some(Self {
            statistic,
            freedom,
            p_value: distribution.sf(statistic),
            cramers_v: (statistic / total).sqrt().min(1.0),
        })
    }
}

impl CategoryDrift {
    pub(super) fn of(categories: &Categories) -> Self {
        let pairs = || categories.values.iter().zip(&categories.counts);
        let one_sided = |is: fn(&(f64, f64)) -> bool| {
            let found = pairs().filter(|(_, counts)| is(counts));
            found.map(|(value, _)| value.clone()).collect()
        };
        let after: f64 = categories.counts.iter().map(|(_, count)| count).sum();
        let new: f64 = pairs()
            .filter(|(_, (before, _))| *before <= 0.0)
            .map(|(_, (_, count))| count)
            .sum();
        Self {
            new: one_sided(|(before, _)| *before <= 0.0),
            vanished: one_sided(|(_, after)| *after <= 0.0),
            new_share: if after > 0.0 { new / after } else { 0.0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_gives_the_published_figures() {
        // Fleiss, Statistical Methods for Rates and Proportions, 1981, page 139: smokers among patients
        // of four studies. R's prop.test gives X-squared = 12.6, df = 3, p-value = 0.005585.
        let smokers = [83.0, 90.0, 129.0, 70.0];
        let patients = [86.0, 93.0, 136.0, 82.0];
        let pairs = smokers.iter().zip(patients);
        let counts: Vec<(f64, f64)> = pairs
            .map(|(&smokers, all)| (smokers, all - smokers))
            .collect();
        let test = ChiSquare::of(&counts).unwrap();
        assert!((test.statistic - 12.600_4).abs() < 1e-3, "{test:?}");
        assert!((test.p_value - 0.005_585).abs() < 1e-6, "{test:?}");
        assert_eq!(test.freedom, 3);
        // √(12.6004 / 397).
        assert!((test.cramers_v - 0.178_15).abs() < 1e-4, "{test:?}");
    }

    #[test]
    fn sides_without_a_common_category_depend_as_much_as_can_be() {
        let test = ChiSquare::of(&[(10.0, 0.0), (0.0, 30.0)]).unwrap();
        assert!((test.cramers_v - 1.0).abs() < 1e-12);
        assert_eq!(ChiSquare::of(&[(10.0, 5.0)]), None);
    }
}
