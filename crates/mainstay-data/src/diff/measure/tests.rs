use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::diff::distribution::{float, in_buckets};
use crate::digest::Profile;
use crate::slots::slots;
use crate::stats::{ColumnCollector, ColumnStats};
use arrow::array::{Array, Float64Array, Int64Array, StringArray};

fn stats_of(array: &dyn Array) -> ColumnStats {
    let mut collector = ColumnCollector::new(array.data_type());
    let slots = slots(array, Profile::Strict).unwrap();
    slots.collect(array.len(), &mut collector);
    collector.finish()
}

fn floats(values: impl IntoIterator<Item = f64>) -> Cdf {
    let array = Float64Array::from_iter_values(values);
    Cdf::of(&stats_of(&array)).unwrap()
}

fn integers(values: impl IntoIterator<Item = i64>) -> Cdf {
    let array = Int64Array::from_iter_values(values);
    Cdf::of(&stats_of(&array)).unwrap()
}

fn close(a: f64, b: f64, tolerance: f64) {
    assert!(
        (a - b).abs() <= tolerance,
        "{a} is not within {tolerance} of {b}"
    );
}

#[test]
fn equal_distributions_do_not_drift() {
    let cdf = || floats((0..1_000).map(f64::from));
    let (measures, _) = numeric(&cdf(), &cdf());
    assert_eq!(measures.psi, Some(0.0));
    assert_eq!(measures.ks, Some(0.0));
    assert_eq!(measures.js, Some(0.0));
    assert_eq!(measures.shift, Some(0.0));
}

#[test]
fn a_shifted_uniform_has_the_textbook_distances() {
    let before = floats((0..2_000).map(f64::from));
    let after = floats((0..2_000).map(|i| f64::from(i + 500)));
    let (measures, noise) = numeric(&before, &after);
    // A quarter of the range.
    close(measures.ks.unwrap(), 0.25, 0.01);
    // 500 over the deviation of a uniform, 2000 / sqrt(12).
    close(measures.shift.unwrap(), 500.0 / 577.35, 0.01);
    assert!(measures.psi.unwrap() > 0.25 && measures.ks.unwrap() > noise.ks);
}

#[test]
fn few_integers_are_compared_exactly() {
    let before = integers([0, 0, 0, 1]);
    let after = integers([0, 1, 1, 1]);
    let (measures, _) = numeric(&before, &after);
    assert_eq!(measures.ks, Some(0.5));
    // One bin of each value; counts raised by a half: (3.5, 1.5) and (1.5, 3.5) of 5.
    close(
        measures.psi.unwrap(),
        2.0 * 0.4 * (3.5_f64 / 1.5).ln(),
        1e-12,
    );
}

#[test]
fn disjoint_distributions_are_as_far_as_can_be() {
    let (measures, _) = numeric(&integers(0..50), &integers(100..150));
    assert_eq!(measures.ks, Some(1.0));
    close(measures.js.unwrap(), 0.5, 0.5);
    let (measures, _) = categorical(&[(7.0, 0.0), (0.0, 9.0)]).unwrap();
    assert_eq!((measures.ks, measures.js), (Some(1.0), Some(1.0)));
}

#[test]
fn the_noise_of_the_psi_is_the_percentile_of_chi_squared() {
    // χ² tables: 21.666 at 9 degrees of freedom, 6.635 at 1.
    close(psi_noise(10, 1.0), 21.666, 0.05);
    close(psi_noise(2, 1.0), 6.635, 0.15);
}

#[test]
fn the_test_of_missing_values_is_pearsons_of_two_by_two() {
    // Without correction both are one test: z² is the statistic.
    let test = crate::diff::ChiSquare::of(&[(30.0, 55.0), (170.0, 145.0)]).unwrap();
    let p_value = missing_p_value((30.0, 55.0), (200.0, 200.0)).unwrap();
    close(p_value, test.p_value, 1e-9);
    assert_eq!(missing_p_value((0.0, 0.0), (5.0, 5.0)), None);
}

#[test]
fn halves_of_one_sample_stay_within_the_noise() {
    // A fixed pseudo-random sequence: multiples of the golden ratio's fraction are spread evenly,
    // their sine less so.
    let value = |i: u32| (f64::from(i) * 12.9898).sin() * 43_758.545_3 % 1.0;
    let (measures, noise) = numeric(&floats((0..300).map(value)), &floats((300..600).map(value)));
    assert!(measures.psi.unwrap() < noise.psi && measures.ks.unwrap() < noise.ks);
}

proptest! {
    #[test]
    fn measures_keep_their_ranges(
        a in proptest::collection::vec(proptest::num::f64::NORMAL, 1..300),
        b in proptest::collection::vec(-100.0..100.0, 1..300),
    ) {
        for (before, after) in [(floats(a.clone()), floats(b.clone())), (floats(b), floats(a))] {
            let (measures, noise) = numeric(&before, &after);
            prop_assert!(measures.psi.unwrap() >= 0.0 && measures.psi.unwrap().is_finite());
            prop_assert!((0.0..=1.0).contains(&measures.ks.unwrap()));
            prop_assert!((0.0..=1.0).contains(&measures.js.unwrap()));
            prop_assert!(measures.shift.is_none_or(|shift| shift >= 0.0));
            prop_assert!(noise.psi >= 0.0 && noise.ks > 0.0);
        }
    }

    #[test]
    fn buckets_of_texts_are_at_most_as_far_apart_as_the_texts(
        a in proptest::collection::vec(0_u64..300, 200..400),
        b in proptest::collection::vec(100_u64..500, 1..400),
    ) {
        let mut counts: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for text in &a {
            counts.entry(*text).or_default().0 += 1.0;
        }
        for text in &b {
            counts.entry(*text).or_default().1 += 1.0;
        }
        let counts: Vec<(f64, f64)> = counts.into_values().collect();
        let (exact, _) = categorical(&counts).unwrap();
        let column = |texts: &[u64]| {
            stats_of(&StringArray::from_iter_values(texts.iter().map(u64::to_string)))
        };
        let (before, after) = (column(&a), column(&b));
        prop_assert!(before.buckets.is_some() != before.categories.is_some());
        let counts = in_buckets(&before, &after).unwrap();
        let total: f64 = counts.iter().map(|(before, after)| before + after).sum();
        prop_assert!((total - float((a.len() + b.len()) as u64)).abs() < 0.5);
        let (found, _) = categorical(&counts).unwrap();
        prop_assert!(found.ks.unwrap() <= exact.ks.unwrap() + 1e-12);
        prop_assert!(found.js.unwrap() <= exact.js.unwrap() + 1e-12);
    }

    #[test]
    fn the_distance_of_samples_matches_brute_force(
        a in proptest::collection::vec(0_i64..60, 1..200),
        b in proptest::collection::vec(0_i64..60, 1..200),
    ) {
        let share = |values: &[i64], x: i64| {
            let up_to = values.iter().filter(|value| **value <= x).count();
            float(up_to as u64) / float(values.len() as u64)
        };
        let expected = (0..60).map(|x| (share(&a, x) - share(&b, x)).abs()).fold(0.0, f64::max);
        let (measures, _) = numeric(&integers(a), &integers(b));
        prop_assert!((measures.ks.unwrap() - expected).abs() < 1e-12);
    }
}
