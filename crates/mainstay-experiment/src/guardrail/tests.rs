use mainstay_core::ErrorKind;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution};
use statrs::function::beta::{beta_reg, ln_beta};

use super::*;

fn outcomes(requests: u64, failures: u64) -> Outcomes {
    Outcomes::new(requests, failures).unwrap()
}

fn seen(control: (u64, u64), canary: (u64, u64), share: f64) -> Observation {
    Observation::new(
        outcomes(control.0, control.1),
        outcomes(canary.0, canary.1),
        share,
    )
    .unwrap()
}

fn evidence(guardrail: &Guardrail, observations: &[Observation]) -> Evidence {
    let mut evidence = Evidence::default();
    for observation in observations {
        guardrail.observe(&mut evidence, observation).unwrap();
    }
    evidence
}

fn harm(alpha: f64, min_requests: u64) -> Guardrail {
    Guardrail::failure_rate(alpha, min_requests).unwrap()
}

/// A canary watched at every 50 requests an arm: when it failed, in requests an arm.
struct Watch {
    control: f64,
    canary: f64,
    looks: u64,
}

impl Watch {
    fn first_alarm(&self, seed: u64) -> Option<u64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let guardrail = harm(0.05, 1);
        let mut evidence = Evidence::default();
        let failures = |rate| Binomial::new(50, rate).unwrap();
        let (control, canary) = (failures(self.control), failures(self.canary));
        (1..=self.looks).find(|_| {
            let control = (50, control.sample(&mut rng));
            let canary = (50, canary.sample(&mut rng));
            let observation = seen(control, canary, 0.5);
            guardrail.observe(&mut evidence, &observation).unwrap();
            guardrail.report(&evidence).verdict == Verdict::Fail
        })
    }

    /// Returns how many of `runs` gave an alarm, and the median requests an arm until then.
    fn alarms(&self, runs: u64) -> (usize, u64) {
        let mut looks: Vec<u64> = (0..runs)
            .filter_map(|seed| self.first_alarm(seed))
            .collect();
        looks.sort_unstable();
        (
            looks.len(),
            looks.get(looks.len() / 2).map_or(0, |look| look * 50),
        )
    }
}

#[test]
fn equal_arms_looked_at_400_times_give_at_most_alpha_false_alarms() {
    for rate in [0.01, 0.3] {
        let watch = Watch {
            control: rate,
            canary: rate,
            looks: 400,
        };
        let (alarms, _) = watch.alarms(300);
        assert!(alarms <= 15, "{alarms} of 300 at {rate}");
    }
}

#[test]
fn a_canary_better_than_the_control_gives_no_alarm() {
    let watch = Watch {
        control: 0.03,
        canary: 0.02,
        looks: 200,
    };
    assert!(watch.alarms(50).0 <= 1);
}

#[test]
fn a_doubled_failure_rate_is_found_within_the_published_number_of_requests() {
    let watch = Watch {
        control: 0.01,
        canary: 0.02,
        looks: 400,
    };
    let (alarms, median) = watch.alarms(300);
    assert!(alarms >= 285, "{alarms} of 300");
    // A two-sided Beta mixture takes 2,400.
    assert!(median <= 2_300, "{median}");
}

#[test]
fn a_traffic_share_that_changes_with_the_failure_rate_gives_no_false_alarm() {
    // Load rises and the failure rate with it, just as the canary's share is raised: pooled over
    // time the canary looks worse although it never is.
    let guardrail = harm(0.05, 1);
    let mut alarms = 0;
    for seed in 0..200 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut evidence = Evidence::default();
        for (canary_requests, rate) in [(100, 0.01), (500, 0.05), (900, 0.2)] {
            for _ in 0..40 {
                let mut arm = |requests| {
                    let failures = Binomial::new(requests, rate).unwrap().sample(&mut rng);
                    (requests, failures)
                };
                let observation = seen(arm(1_000 - canary_requests), arm(canary_requests), 0.5);
                guardrail.observe(&mut evidence, &observation).unwrap();
            }
        }
        alarms += u32::from(guardrail.report(&evidence).verdict == Verdict::Fail);
    }
    assert!(alarms <= 10, "{alarms} of 200");
}

#[test]
fn the_mixture_agrees_with_the_closed_form_at_equal_traffic() {
    // At q = 1/2 the mixture is Beta(3, 3) cut to p > 1/2:
    // e = B(3 + x, 3 + y) (1 - I_{1/2}(3 + x, 3 + y)) / (B(3, 3) / 2) / 2^-(x + y).
    for (canary, control) in [
        (0_u32, 0_u32),
        (5, 5),
        (10, 2),
        (30, 40),
        (40, 30),
        (120, 80),
        (300, 220),
    ] {
        let (x, y) = (f64::from(canary), f64::from(control));
        let (a, b) = (3.0 + x, 3.0 + y);
        let exact = ln_beta(a, b) + beta_reg(b, a, 0.5).ln() - ln_beta(3.0, 3.0)
            + 2.0_f64.ln() * (1.0 + x + y);
        let mixture = mixture::harm();
        let terms = mixture.terms(u64::from(canary + control), 0.5).unwrap();
        let ours = mixture.log_e(canary.into(), &terms);
        assert!(
            (ours - exact).abs() < 0.12,
            "{canary}/{control}: {ours} {exact}"
        );
    }
}

#[test]
fn each_alternative_has_mean_one_under_the_null() {
    // Σ_x Bin(x; n, q) θ^x / (θ q + 1 - q)^n = 1 for every θ, hence for the mixture.
    for (mixture, q, n) in [
        (mixture::harm(), 0.1, 30_u64),
        (mixture::harm(), 0.5, 12),
        (mixture::either_way(), 0.3, 25),
    ] {
        let terms = mixture.terms(n, q).unwrap();
        let mut choose = 1.0;
        let mut mean = 0.0;
        for x in 0..=n {
            let (hits, misses) = (i32::try_from(x).unwrap(), i32::try_from(n - x).unwrap());
            mean += choose * q.powi(hits) * (1.0 - q).powi(misses) * mixture.log_e(x, &terms).exp();
            choose *= f64::from(misses) / f64::from(hits + 1);
        }
        assert!((mean - 1.0).abs() < 1e-4 && mean <= 1.0 + 1e-12, "{mean}");
    }
}

#[test]
fn no_requests_in_an_arm_is_no_data_and_too_few_is_inconclusive() {
    let guardrail = harm(0.05, 100);
    let verdict = |observations: &[Observation]| {
        guardrail
            .report(&evidence(&guardrail, observations))
            .verdict
    };
    assert_eq!(verdict(&[]), Verdict::NoData);
    assert_eq!(verdict(&[seen((1_000, 3), (0, 0), 0.1)]), Verdict::NoData);
    assert_eq!(verdict(&[seen((0, 0), (1_000, 0), 0.1)]), Verdict::NoData);
    assert_eq!(
        verdict(&[seen((900, 3), (99, 0), 0.1)]),
        Verdict::Inconclusive
    );
    assert_eq!(verdict(&[seen((900, 3), (100, 0), 0.1)]), Verdict::Pass);
    assert_eq!(verdict(&[seen((90, 0), (10, 10), 0.1)]), Verdict::Fail);
}

#[test]
fn failure_without_a_control_says_nothing() {
    let guardrail = harm(0.05, 1);
    let report = guardrail.report(&evidence(&guardrail, &[seen((0, 0), (1_000, 900), 1.0)]));
    assert_eq!(report.verdict, Verdict::NoData);
    assert!((report.e_value - 1.0).abs() < 1e-3);
}

#[test]
fn an_alarm_once_given_is_not_taken_back() {
    let guardrail = harm(0.05, 1);
    let mut evidence = evidence(&guardrail, &[seen((500, 1), (500, 25), 0.5)]);
    assert_eq!(guardrail.report(&evidence).verdict, Verdict::Fail);
    for _ in 0..100 {
        let good = seen((500, 25), (500, 1), 0.5);
        guardrail.observe(&mut evidence, &good).unwrap();
    }
    assert_eq!(guardrail.report(&evidence).verdict, Verdict::Fail);
}

#[test]
fn a_starved_canary_fails_the_sample_ratio_and_a_fair_split_does_not() {
    let guardrail = Guardrail::sample_ratio(0.001, 100).unwrap();
    let starved = evidence(&guardrail, &[seen((990, 0), (10, 0), 0.1)]);
    assert_eq!(guardrail.report(&starved).verdict, Verdict::Fail);
    let flooded = evidence(&guardrail, &[seen((800, 0), (200, 0), 0.1)]);
    assert_eq!(guardrail.report(&flooded).verdict, Verdict::Fail);
    // Half a percent off shows in a million requests.
    let slight = evidence(&guardrail, &[seen((505_000, 0), (495_000, 0), 0.5)]);
    assert_eq!(guardrail.report(&slight).verdict, Verdict::Fail);

    let mut alarms = 0;
    for seed in 0..100 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let fair = (0..100).map(|look| {
            let share = if look < 50 { 0.1 } else { 0.5 };
            let canary = Binomial::new(200, share).unwrap().sample(&mut rng);
            seen((200 - canary, 0), (canary, 0), share)
        });
        let fair = evidence(&guardrail, &fair.collect::<Vec<_>>());
        alarms += u32::from(guardrail.report(&fair).verdict == Verdict::Fail);
    }
    assert!(alarms <= 1, "{alarms} of 100");
}

#[test]
fn settings_and_counts_without_a_meaning_are_refused() {
    for (alpha, min_requests) in [(0.0, 1), (0.6, 1), (f64::NAN, 1), (-0.1, 1), (0.05, 0)] {
        let error = Guardrail::failure_rate(alpha, min_requests).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(Guardrail::sample_ratio(alpha, min_requests).is_err());
    }
    assert!(Outcomes::new(1, 2).is_err());
    assert!(Outcomes::new(1 << 53, 0).is_err());
    assert!(Observation::new(outcomes(1, 0), outcomes(1, 0), 1.1).is_err());
    assert!(Observation::new(outcomes(1, 0), outcomes(1, 0), f64::NAN).is_err());
    assert!(serde_json::from_str::<Outcomes>(r#"{"requests":1,"failures":2}"#).is_err());
    assert!(
        serde_json::from_str::<Guardrail>(r#"{"kind":"failure_rate","alpha":2,"min_requests":1}"#)
            .is_err()
    );
}

#[test]
fn evidence_of_another_kind_of_guardrail_is_refused_and_left_alone() {
    let (rate, ratio) = (harm(0.05, 1), Guardrail::sample_ratio(0.001, 1).unwrap());
    let mut gathered = evidence(&rate, &[seen((10, 1), (10, 1), 0.5)]);
    let before = gathered.clone();
    let error = ratio.observe(&mut gathered, &seen((10, 1), (10, 1), 0.5));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(gathered, before);
}

#[test]
fn counts_without_their_sums_are_not_evidence() {
    let json = r#"{"canary":{"failures":9,"requests":9},"control":{"failures":0,"requests":9},"peak":0,"terms":[]}"#;
    assert!(serde_json::from_str::<Evidence>(json).is_err());
}

#[test]
fn too_many_events_are_refused_not_wrapped() {
    let huge = (1_u64 << 52) - 1;
    let guardrail = Guardrail::sample_ratio(0.001, 1).unwrap();
    let error = guardrail
        .observe(&mut Evidence::default(), &seen((huge, 0), (huge, 0), 0.5))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_report_says_what_it_saw() {
    let guardrail = harm(0.05, 100);
    let report = guardrail.report(&evidence(&guardrail, &[seen((200, 2), (100, 1), 0.5)]));
    let text = report.to_string();
    assert!(
        text.starts_with("pass: canary 1/100 failed (1.00 %), control 2/200 failed (1.00 %)"),
        "{text}"
    );
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let arm = (0_u64..5_000, 0_u64..200).prop_map(|(n, failures)| (n.max(failures), failures));
    (arm.clone(), arm, 0.0..=1.0).prop_map(|(control, canary, share)| seen(control, canary, share))
}

proptest! {
    #[test]
    fn evidence_is_the_same_in_any_order_and_grouping(
        observations in proptest::collection::vec(any_observation(), 0..12),
        cut in 0_usize..12,
        ratio: bool,
    ) {
        let guardrail = if ratio {
            Guardrail::sample_ratio(0.001, 1).unwrap()
        } else {
            harm(0.05, 1)
        };
        let (left, right) = observations.split_at(cut.min(observations.len()));
        let (left, right) = (evidence(&guardrail, left), evidence(&guardrail, right));
        let absorb = |order: [&Evidence; 2]| {
            let mut sum = Evidence::default();
            for part in order {
                guardrail.absorb(&mut sum, part).unwrap();
            }
            sum
        };
        let (one, other) = (absorb([&left, &right]), absorb([&right, &left]));
        let all = evidence(&guardrail, &observations);
        prop_assert_eq!(&one.terms, &other.terms);
        prop_assert_eq!(&one.terms, &all.terms);
        prop_assert_eq!((one.control, one.canary), (all.control, all.canary));
    }

    #[test]
    fn evidence_survives_json_and_its_e_value_is_finite(
        observations in proptest::collection::vec(any_observation(), 0..6),
    ) {
        let guardrail = harm(0.05, 1);
        let gathered = evidence(&guardrail, &observations);
        let json = serde_json::to_string(&gathered).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Evidence>(&json).unwrap(), &gathered);
        let report = guardrail.report(&gathered);
        prop_assert!(report.e_value.is_finite() && report.e_value >= 1.0);
    }

    #[test]
    fn any_json_is_evidence_or_refused(text in ".*", terms: Vec<i64>, peak: i64) {
        drop(serde_json::from_str::<Evidence>(&text));
        let json = serde_json::json!({
            "control": {"requests": 1, "failures": 0}, "canary": {"requests": 1, "failures": 0},
            "terms": terms, "peak": peak,
        });
        if let Ok(mut evidence) = serde_json::from_value::<Evidence>(json) {
            drop(harm(0.05, 1).observe(&mut evidence, &seen((1, 1), (1, 1), 0.5)));
            assert!(harm(0.05, 1).report(&evidence).e_value.is_finite());
        }
    }
}
