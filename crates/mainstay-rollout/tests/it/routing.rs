use std::sync::Arc;

use mainstay_core::Timestamp;
use mainstay_rollout::{Action, Counters, Outcome, Phase, Rollouts, Router, TrafficArm};

use crate::workshop::{Workshop, actor, broken, healthy, node, plan, prod};

async fn router(workshop: &Workshop) -> Router {
    Rollouts::router(&workshop.view().await, &prod()).unwrap()
}

fn canary_keys(router: &Router) -> Vec<u32> {
    (0..10_000)
        .filter(|key| router.route(&format!("user-{key}")).arm == TrafficArm::Canary)
        .collect()
}

#[tokio::test]
async fn keys_only_join_the_canary_as_its_share_grows_and_all_leave_when_it_is_rolled_back() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.put(&one).await;
    workshop.start(&two).await;
    let small = router(&workshop).await;
    workshop.observe(&healthy()).await;
    let large = router(&workshop).await;
    let (few, many) = (canary_keys(&small), canary_keys(&large));
    // Five standard deviations around 10 % and 50 %.
    assert!((850..=1_150).contains(&few.len()), "{}", few.len());
    assert!((4_750..=5_250).contains(&many.len()), "{}", many.len());
    assert!(few.iter().all(|key| many.binary_search(key).is_ok()));
    assert!(large.epoch() > small.epoch());

    workshop.observe(&broken()).await;
    let back = router(&workshop).await;
    assert!(canary_keys(&back).is_empty());
    assert_eq!(
        (back.control(), back.canary()),
        (&node("unit:support@1"), None)
    );
    assert!(back.epoch() > large.epoch());
}

#[tokio::test]
async fn a_route_tells_its_unit_and_its_probability() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.put(&one).await;
    workshop.start(&two).await;
    let router = router(&workshop).await;
    for key in 0..200 {
        let route = router.route(&key.to_string());
        let (unit, propensity) = match route.arm {
            TrafficArm::Canary => ("unit:support@2", 0.1),
            TrafficArm::Control => ("unit:support@1", 0.9),
        };
        assert_eq!(*route.unit, node(unit));
        assert!((route.propensity - propensity).abs() < 1e-12);
        assert_eq!(route.epoch, router.epoch());
    }
}

#[tokio::test]
async fn a_completed_rollout_routes_everything_to_the_new_unit() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.put(&one).await;
    workshop.put(&two).await;
    let router = router(&workshop).await;
    let route = router.route("anyone");
    assert_eq!(
        (route.unit, route.arm),
        (&node("unit:support@2"), TrafficArm::Control)
    );
    assert!((route.propensity - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn each_rollout_picks_other_people_unless_told_otherwise() {
    let workshop = Workshop::new().await;
    let (one, two, three) = (
        workshop.unit(1).await,
        workshop.unit(2).await,
        workshop.unit(3).await,
    );
    workshop.put(&one).await;
    workshop.start(&two).await;
    let first = canary_keys(&router(&workshop).await);
    workshop.start(&three).await;
    let other = canary_keys(&router(&workshop).await);
    let shared = other
        .iter()
        .filter(|key| first.binary_search(key).is_ok())
        .count();
    assert!(shared < 200, "{shared}");

    let same_people = plan().with_salt("rollout:prod@2");
    workshop
        .rollouts
        .start(&prod(), &two, &same_people, actor(), "again")
        .await
        .unwrap();
    assert_eq!(canary_keys(&router(&workshop).await), first);
}

#[tokio::test]
async fn counters_of_a_router_feed_the_step_it_belongs_to() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.put(&one).await;
    workshop.start(&two).await;
    let router = router(&workshop).await;
    let counters = Counters::new(&router);
    for key in 0..20_000 {
        let route = router.route(&format!("user-{key}"));
        let failed = route.arm == TrafficArm::Canary && key % 10 == 0;
        counters.record(
            route.arm,
            if failed {
                Outcome::Failure
            } else {
                Outcome::Success
            },
        );
    }
    let window = counters.drain(Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(window.control.requests() + window.canary.requests(), 20_000);
    let decision = workshop.observe(&window).await;
    assert_eq!(decision.action, Action::RolledBack);
    assert_eq!(decision.status.state, Phase::RolledBack);
}

#[test]
fn requests_counted_while_draining_are_in_exactly_one_window() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let router = runtime.block_on(async {
        let workshop = Workshop::new().await;
        let one = workshop.unit(1).await;
        workshop.put(&one).await;
        router(&workshop).await
    });
    let counters = Arc::new(Counters::new(&router));
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let counters = Arc::clone(&counters);
            std::thread::spawn(move || {
                for request in 0..5_000 {
                    let arm = if n % 2 == 0 {
                        TrafficArm::Canary
                    } else {
                        TrafficArm::Control
                    };
                    let outcome = if request % 5 == 0 {
                        Outcome::Failure
                    } else {
                        Outcome::Success
                    };
                    counters.record(arm, outcome);
                }
            })
        })
        .collect();
    let mut seen = [0; 4];
    let mut drain = || {
        let window = counters.drain(Timestamp::UNIX_EPOCH).unwrap();
        let counts = [window.control, window.canary].map(|arm| [arm.requests(), arm.failures()]);
        for (sum, count) in seen.iter_mut().zip(counts.concat()) {
            *sum += count;
        }
    };
    while writers.iter().any(|writer| !writer.is_finished()) {
        drain();
    }
    for writer in writers {
        writer.join().unwrap();
    }
    drain();
    assert_eq!(seen, [10_000, 2_000, 10_000, 2_000]);
}
