use mainstay_core::{ErrorKind, Name};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn names(count: usize) -> Vec<Name> {
    (0..count).map(|n| n.to_string().parse().unwrap()).collect()
}

fn replica(n: usize) -> Name {
    format!("replica-{n}").parse().unwrap()
}

/// Plays one bandit and returns its regret: the successes expected to be lost against the best arm.
fn regret(rates: &[f64], rounds: u32, seed: u64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut stats = ArmStats::new(names(rates.len())).unwrap();
    let (sampler, replica) = (ThompsonSampling::default(), replica(0));
    let best = rates.iter().copied().fold(0.0, f64::max);
    let mut regret = 0.0;
    for _ in 0..rounds {
        let arm = sampler.select(&stats, &mut rng).arm;
        regret += best - rates[arm];
        let outcome = if rng.random_bool(rates[arm]) {
            Counts::SUCCESS
        } else {
            Counts::FAILURE
        };
        stats.record(&replica, arm, outcome).unwrap();
    }
    regret
}

fn mean_regret(rates: &[f64], rounds: u32, runs: u32) -> f64 {
    let total: f64 = (0..runs)
        .map(|seed| regret(rates, rounds, u64::from(seed)))
        .sum();
    total / f64::from(runs)
}

#[test]
fn regret_on_two_good_arms_is_as_published() {
    // 9.8 in the literature's setting of 0.9 against 0.8 over 10,000 rounds; UCB1 has 87.
    let mean = mean_regret(&[0.9, 0.8], 10_000, 100);
    assert!((5.0..=15.0).contains(&mean), "{mean}");
}

#[test]
fn regret_on_two_close_arms_is_as_published() {
    // 23.5 for 0.25 against 0.20 over 10,000 rounds; UCB1 has 97.
    let mean = mean_regret(&[0.25, 0.20], 10_000, 60);
    assert!((12.0..=35.0).contains(&mean), "{mean}");
}

#[test]
fn regret_on_ten_poor_arms_is_as_published() {
    // 81.5 over 10,000 rounds; UCB1 has 501.
    let rates = [0.1, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02, 0.01, 0.01, 0.01];
    let mean = mean_regret(&rates, 10_000, 12);
    assert!((55.0..=110.0).contains(&mean), "{mean}");
}

#[test]
fn the_better_of_two_arms_is_chosen_as_often_as_its_posterior_is_higher() {
    // P(X > Y) = 5/6 for X ~ Beta(2, 1) and Y ~ Beta(1, 2): the integral of 2x (1 - (1 - x)^2).
    let mut stats = ArmStats::new(names(2)).unwrap();
    stats.record(&replica(0), 0, Counts::SUCCESS).unwrap();
    stats.record(&replica(0), 1, Counts::FAILURE).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let first = (0..20_000)
        .filter(|_| ThompsonSampling::default().select(&stats, &mut rng).arm == 0)
        .count();
    // Five standard deviations of 53 either way.
    assert!((16_403..=16_930).contains(&first), "{first}");
}

#[test]
fn untried_arms_are_chosen_alike() {
    let stats = ArmStats::new(names(4)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut chosen = [0; 4];
    for _ in 0..8_000 {
        chosen[ThompsonSampling::default().select(&stats, &mut rng).arm] += 1;
    }
    assert!(
        chosen.iter().all(|count| (1_800..=2_200).contains(count)),
        "{chosen:?}"
    );
}

#[test]
fn equal_draws_are_decided_by_chance() {
    // With this many outcomes each draw is exactly one.
    let mut stats = ArmStats::new(names(3)).unwrap();
    let many = Counts {
        successes: 1 << 52,
        failures: 0,
    };
    for arm in 0..3 {
        stats.record(&replica(0), arm, many).unwrap();
    }
    let sampler = ThompsonSampling::with_prior(1.0, 0.01).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut chosen = [0; 3];
    for _ in 0..900 {
        chosen[sampler.select(&stats, &mut rng).arm] += 1;
    }
    assert!(
        chosen.iter().all(|count| (200..=400).contains(count)),
        "{chosen:?}"
    );
}

#[test]
fn replicas_that_merge_often_do_as_well_as_one() {
    let rates = [0.1, 0.05, 0.02];
    let (mut rng, sampler) = (ChaCha8Rng::seed_from_u64(5), ThompsonSampling::default());
    let mut replicas = vec![ArmStats::new(names(3)).unwrap(); 4];
    for round in 0..8_000 {
        let n = round % 4;
        let arm = sampler.select(&replicas[n], &mut rng).arm;
        let outcome = if rng.random_bool(rates[arm]) {
            Counts::SUCCESS
        } else {
            Counts::FAILURE
        };
        replicas[n].record(&replica(n), arm, outcome).unwrap();
        if round % 400 == 399 {
            let mut all = replicas[0].clone();
            for other in &replicas[1..] {
                all.merge(other).unwrap();
            }
            replicas = vec![all; 4];
        }
    }
    let totals = replicas[0].totals();
    let pulls: u64 = totals.iter().map(|c| c.successes + c.failures).sum();
    assert_eq!(pulls, 8_000);
    assert!(
        totals[0].successes + totals[0].failures > 6_000,
        "{totals:?}"
    );
}

#[test]
fn bad_priors_arms_and_registers_are_refused() {
    for (alpha, beta) in [
        (0.0, 1.0),
        (1.0, -1.0),
        (f64::NAN, 1.0),
        (1.0, f64::INFINITY),
    ] {
        let error = ThompsonSampling::with_prior(alpha, beta).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    assert!(ArmStats::new([]).is_err());
    assert!(ArmStats::new(["a".parse().unwrap(), "a".parse().unwrap()]).is_err());
    let mut stats = ArmStats::new(names(2)).unwrap();
    assert!(stats.record(&replica(0), 2, Counts::SUCCESS).is_err());
    let huge = Counts {
        successes: u64::MAX,
        failures: 0,
    };
    let before = stats.clone();
    assert!(stats.record(&replica(0), 0, huge).is_err());
    assert_eq!(stats, before);
    let other = ArmStats::new(names(3)).unwrap();
    assert_eq!(
        stats.merge(&other).unwrap_err().kind(),
        ErrorKind::Incompatible
    );
    let short = r#"{"arms":["a","b"],"replicas":{"r":[{"successes":1,"failures":0}]}}"#;
    assert!(serde_json::from_str::<ArmStats>(short).is_err());
}

fn any_stats() -> impl Strategy<Value = ArmStats> {
    proptest::collection::vec((0_usize..3, 0_usize..3, 0_u64..1_000, 0_u64..1_000), 0..12).prop_map(
        |records| {
            let mut stats = ArmStats::new(names(3)).unwrap();
            for (owner, arm, successes, failures) in records {
                let counts = Counts {
                    successes,
                    failures,
                };
                stats.record(&replica(owner), arm, counts).unwrap();
            }
            stats
        },
    )
}

fn merged(a: &ArmStats, b: &ArmStats) -> ArmStats {
    let mut merged = a.clone();
    merged.merge(b).unwrap();
    merged
}

proptest! {
    #[test]
    fn merging_is_a_join(a in any_stats(), b in any_stats(), c in any_stats()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
        prop_assert_eq!(merged(&a, &a), a);
    }

    #[test]
    fn stats_survive_json(stats in any_stats()) {
        let json = serde_json::to_string(&stats).unwrap();
        prop_assert_eq!(serde_json::from_str::<ArmStats>(&json).unwrap(), stats);
    }

    #[test]
    fn a_draw_is_a_probability_whatever_the_counts(
        successes in 0_u64..1 << 53,
        failures in 0_u64..1 << 53,
        alpha in 0.01_f64..1e6,
        beta in 0.01_f64..1e6,
        seed: u64,
    ) {
        let mut stats = ArmStats::new(names(2)).unwrap();
        stats.record(&replica(0), 1, Counts { successes, failures }).unwrap();
        let sampler = ThompsonSampling::with_prior(alpha, beta).unwrap();
        let choice = sampler.select(&stats, &mut ChaCha8Rng::seed_from_u64(seed));
        prop_assert!((0.0..=1.0).contains(&choice.draw));
    }
}
