use std::path::Path;

use mainstay_core::ErrorKind;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn split(arms: &[(&str, u32)]) -> Split {
    salted("salt", arms)
}

fn salted(salt: &str, arms: &[(&str, u32)]) -> Split {
    let arms = arms
        .iter()
        .map(|(name, weight)| (name.parse().unwrap(), *weight));
    Split::new("test", salt, arms).unwrap()
}

#[derive(Deserialize)]
struct Vector {
    namespace: String,
    salt: String,
    arms: Vec<(Name, u32)>,
    unit: String,
    bucket: String,
    arm: Name,
}

#[test]
fn the_published_vectors_hold() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/assignment/v1/vectors.json");
    let vectors: Vec<Vector> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(vectors.len() >= 16);
    for vector in vectors {
        let split = Split::new(&vector.namespace, &vector.salt, vector.arms).unwrap();
        let assignment = split.assign(&vector.unit);
        assert_eq!(format!("{:016x}", assignment.bucket), vector.bucket);
        assert_eq!(*assignment.name, vector.arm, "{}", vector.unit);
    }
}

#[test]
fn splits_without_a_meaning_are_refused() {
    let name = |text: &str| text.parse::<Name>().unwrap();
    let too_many = (0..1_025).map(|n| (name(&n.to_string()), 1));
    for arms in [
        vec![],
        vec![(name("a"), 0), (name("b"), 0)],
        vec![(name("a"), 1), (name("b"), 1), (name("a"), 2)],
        too_many.collect(),
    ] {
        let error = Split::new("n", "s", arms).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[test]
fn every_bucket_has_an_arm_and_the_borders_are_where_the_weights_say() {
    let halves = split(&[("a", 1), ("b", 1)]);
    assert_eq!(halves.at(0).arm, 0);
    assert_eq!(halves.at((1 << 63) - 1).arm, 0);
    assert_eq!(halves.at(1 << 63).arm, 1);
    assert_eq!(halves.at(u64::MAX).arm, 1);
}

#[test]
fn an_arm_without_weight_gets_nothing_wherever_it_stands() {
    for arms in [
        [("none", 0), ("a", 1), ("b", 1)],
        [("a", 1), ("none", 0), ("b", 1)],
        [("a", 1), ("b", 1), ("none", 0)],
    ] {
        let split = split(&arms);
        for bucket in [0, (1 << 63) - 1, 1 << 63, u64::MAX] {
            assert_ne!(split.at(bucket).name.as_str(), "none");
        }
    }
}

#[test]
fn the_smallest_share_is_exact() {
    let split = split(&[("a", 1), ("b", u32::MAX)]);
    assert_eq!(split.at(1 << 32).arm, 1);
    assert_eq!(split.at((1 << 32) - 1).arm, 0);
}

#[test]
fn shares_are_within_five_standard_deviations_of_the_weights() {
    let weights = [("a", 1), ("b", 3), ("c", 16), ("d", 80)];
    for salt in 0..8 {
        let split = salted(&salt.to_string(), &weights);
        let mut counts = [0_u32; 4];
        for unit in 0..20_000 {
            counts[split.assign(&format!("user-{unit}")).arm] += 1;
        }
        for (arm, count) in split.arms().iter().zip(counts) {
            let p = arm.propensity;
            let deviation = (f64::from(count) - 20_000.0 * p) / (20_000.0 * p * (1.0 - p)).sqrt();
            assert!(deviation.abs() < 5.0, "{} {salt}: {deviation}", arm.name);
        }
    }
}

#[test]
fn two_salts_split_independently() {
    let one = salted("one", &[("a", 1), ("b", 1)]);
    let two = salted("two", &[("a", 1), ("b", 1)]);
    let both = (0..20_000)
        .map(|unit| unit.to_string())
        .filter(|unit| one.assign(unit).arm == 0 && two.assign(unit).arm == 0)
        .count();
    // A quarter of 20,000, five standard deviations of 61 either way.
    assert!((4_694..=5_306).contains(&both), "{both}");
}

proptest! {
    #[test]
    fn propensities_sum_to_one(weights in proptest::collection::vec(0_u32.., 1..32)) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        let arms = weights.iter().enumerate().map(|(n, w)| (n.to_string().parse().unwrap(), *w));
        let split = Split::new("n", "s", arms).unwrap();
        let sum: f64 = split.arms().iter().map(|arm| arm.propensity).sum();
        prop_assert!((sum - 1.0).abs() < 1e-12);
        for arm in split.arms() {
            prop_assert!((arm.propensity - f64::from(arm.weight) / total).abs() < 1e-12);
        }
    }

    #[test]
    fn a_growing_canary_only_gains_units(
        from in 0_u32..=10_000,
        to in 0_u32..=10_000,
        units in proptest::collection::vec(".*", 1..64),
        canary_first: bool,
    ) {
        let (from, to) = (from.min(to), from.max(to));
        let arms = |weight| if canary_first {
            split(&[("canary", weight), ("control", 10_000 - weight)])
        } else {
            split(&[("control", 10_000 - weight), ("canary", weight)])
        };
        let (before, after) = (arms(from), arms(to));
        for unit in &units {
            if before.assign(unit).name.as_str() == "canary" {
                prop_assert_eq!(after.assign(unit).name.as_str(), "canary");
            }
        }
    }

    #[test]
    fn scaled_weights_cut_at_the_same_places(a in 1_u32..10_000, b in 1_u32..10_000, k in 1_u32..100_000, bucket: u64) {
        let small = split(&[("a", a), ("b", b)]);
        let large = split(&[("a", a * k), ("b", b * k)]);
        prop_assert_eq!(small.at(bucket).arm, large.at(bucket).arm);
    }

    #[test]
    fn any_text_is_assigned_and_always_alike(namespace in ".*", salt in ".*", unit in ".*") {
        let split = |n: &str, s: &str| Split::new(n, s, [("a".parse().unwrap(), 1), ("b".parse().unwrap(), 2)]).unwrap();
        prop_assert_eq!(
            split(&namespace, &salt).assign(&unit).bucket,
            split(&namespace, &salt).assign(&unit).bucket
        );
    }
}
