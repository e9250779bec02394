use proptest::prelude::*;

use super::*;

fn sketch_of(values: &[f64], accuracy: Accuracy) -> Bins {
    let mut bins = Bins::default();
    for value in values {
        bins.count(Mapping::new(accuracy).bin(*value).unwrap(), *value);
    }
    bins
}

/// Latencies, rewards of either sign, and zeros.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        (-20.0..30.0_f64).prop_map(f64::exp),
        (-20.0..30.0_f64).prop_map(|log| -log.exp()),
        Just(0.0),
        Just(-0.0),
        (0..20_i32).prop_map(f64::from),
    ];
    proptest::collection::vec(value, 1..200)
}

proptest! {
    #[test]
    fn quantiles_are_within_the_accuracy_of_the_exact_ones(
        values in values(), points in 10..=2_500_u16, q in 0.0..=1.0_f64
    ) {
        let accuracy = Accuracy::from_basis_points(points).unwrap();
        let bins = sketch_of(&values, accuracy);
        let sketch = Sketch::new(&bins, accuracy);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let last = u32::try_from(values.len()).unwrap() - 1;
        for q in [0.0, 0.5, 0.99, 1.0, q] {
            let rank = (0..=last).rev().find(|rank| f64::from(*rank) <= q * f64::from(last));
            let exact = sorted[rank.unwrap() as usize];
            let estimate = sketch.quantile(q).unwrap();
            let bound = (accuracy.relative_error() + 1e-9) * exact.abs() + 1e-12;
            prop_assert!((estimate - exact).abs() <= bound, "q {} is {}, not {}", q, estimate, exact);
        }
        prop_assert_eq!(sketch.count(), values.len() as u64);
        prop_assert_eq!(sketch.min(), Some(sorted[0]));
        prop_assert_eq!(sketch.max(), sorted.last().copied());
    }

    #[test]
    fn a_written_sketch_is_read_back_and_written_the_same(values in values(), points in 10..=2_500_u16) {
        let accuracy = Accuracy::from_basis_points(points).unwrap();
        let bins = sketch_of(&values, accuracy);
        let record = BinsRecord::of(&bins).unwrap();
        let read = record.to_bins(accuracy).unwrap();
        prop_assert_eq!(&read, &bins);
        prop_assert_eq!(BinsRecord::of(&read).unwrap(), record);
    }
}

#[test]
fn nothing_has_no_quantiles_and_is_not_written() {
    let bins = Bins::default();
    let sketch = Sketch::new(&bins, Accuracy::ONE_PERCENT);
    assert_eq!(
        (sketch.quantile(0.5), sketch.min(), sketch.count()),
        (None, None, 0)
    );
    assert!(BinsRecord::of(&bins).is_err());
}

#[test]
fn quantiles_beyond_0_and_1_do_not_exist() {
    let bins = sketch_of(&[1.0, 2.0], Accuracy::ONE_PERCENT);
    let sketch = Sketch::new(&bins, Accuracy::ONE_PERCENT);
    for q in [-0.1, 1.1, f64::NAN] {
        assert_eq!(sketch.quantile(q), None);
    }
}

#[test]
fn records_of_no_sketch_are_refused() {
    let accuracy = Accuracy::ONE_PERCENT;
    let good = BinsRecord::of(&sketch_of(&[-2.0, 0.0, 1.0, 3.0], accuracy)).unwrap();
    let check = |break_it: fn(&mut BinsRecord)| {
        let mut bad = good.clone();
        break_it(&mut bad);
        assert!(bad.to_bins(accuracy).is_err(), "{bad:?}");
    };
    assert!(good.to_bins(accuracy).is_ok());
    check(|bad| bad.positive.reverse());
    check(|bad| bad.positive[0].0 = bad.positive[1].0);
    check(|bad| bad.positive[0].1 = 0);
    check(|bad| bad.positive[1].1 = 1 << 53);
    check(|bad| bad.positive.push((30_000, 1)));
    check(|bad| bad.max = -3.0);
    check(|bad| bad.max = 1e300);
    check(|bad| bad.min = f64::NAN);
    check(|bad| bad.zeros = 1 << 53);
    check(|bad| (bad.negative, bad.zeros, bad.positive) = (vec![], 0, vec![]));
}
