use std::sync::Arc;

use mainstay_core::ErrorKind;
use mainstay_rollout::{Action, Event, Phase, RolloutPlan, Rollouts};
use mainstay_store::MemoryStorage;

use crate::workshop::{Workshop, actor, broken, healthy, name, node, plan, pointers, prod, window};

/// A channel that serves unit 1 while unit 2 is rolled out, with pointers that follow.
async fn under_way() -> Workshop {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.follow().await;
    workshop.put(&one).await;
    workshop.start(&two).await;
    workshop
}

#[tokio::test]
async fn a_healthy_candidate_goes_through_the_steps_and_then_serves_everything() {
    let workshop = under_way().await;
    let started = workshop.view().await;
    let first = workshop.observe(&healthy()).await;
    assert_eq!(first.action, Action::Advanced);
    assert_eq!(first.status.weights.canary, 5_000);
    // Until the end nothing but the rollout's own record moves.
    assert_eq!(pointers(&workshop.view().await), pointers(&started));
    let second = workshop.observe(&window((600, 6), (600, 6))).await;
    assert_eq!(second.action, Action::Completed);
    let status = workshop.status().await;
    assert_eq!(status, second.status);
    assert_eq!(status.unit, node("unit:support@2"));
    assert_eq!(workshop.view().await.seq(), started.seq() + 2);
}

#[tokio::test]
async fn a_failing_candidate_is_rolled_back_in_one_entry_that_says_why() {
    let workshop = under_way().await;
    let before = workshop.view().await;
    let decision = workshop.observe(&broken()).await;
    assert_eq!(decision.action, Action::RolledBack);
    assert_eq!(decision.status.state, Phase::RolledBack);
    assert_eq!(decision.status.weights.control, 10_000);
    let after = workshop.view().await;
    assert_eq!(after.seq(), before.seq() + 1);
    assert_eq!(pointers(&after), pointers(&before));
    let Event::RolledBack { why } = decision.status.last_event else {
        panic!("{}", decision.status.last_event);
    };
    assert!(
        why.contains("guardrail failures: fail: canary 30/100"),
        "{why}"
    );
}

#[tokio::test]
async fn a_completed_rollout_goes_back_to_the_baseline_it_recorded_at_its_start() {
    // In the field's other tools promotion overwrites "stable", and rolling back to it then serves
    // the broken version to everyone.
    let workshop = under_way().await;
    let before = workshop.view().await;
    workshop
        .rollouts
        .promote(&prod(), actor(), "looks fine")
        .await
        .unwrap();
    let promoted = workshop.view().await;
    assert_eq!(workshop.status().await.unit, node("unit:support@2"));
    let plan = Rollouts::plan_rollback(&promoted, &prod(), "it is not").unwrap();
    assert_eq!(plan.from, Some(node("unit:support@2")));
    assert_eq!(plan.to, node("unit:support@1"));
    workshop
        .rollouts
        .apply(plan, actor(), "it is not")
        .await
        .unwrap();
    let after = workshop.view().await;
    assert_eq!(after.seq(), promoted.seq() + 1);
    assert_eq!(pointers(&after), pointers(&before));
}

#[tokio::test]
async fn the_first_start_of_a_channel_serves_at_once() {
    let workshop = Workshop::new().await;
    let one = workshop.unit(1).await;
    let status = workshop.start(&one).await;
    assert_eq!(
        (status.state, status.unit),
        (Phase::Completed, node("unit:support@1"))
    );
}

#[tokio::test]
async fn another_candidate_stops_the_running_rollout_and_begins_at_the_first_step() {
    let workshop = under_way().await;
    workshop.observe(&healthy()).await;
    let three = workshop.unit(3).await;
    let status = workshop.start(&three).await;
    assert_eq!((status.state, status.step), (Phase::Running, 0));
    assert_eq!(status.unit, node("unit:support@1"));
    assert_eq!(status.guardrails[0].report.n, 0);
    // What was counted for the stopped one does not judge the new one.
    let late = broken().with_origin(node("rollout:prod@2"), 1);
    let before = workshop.view().await.seq();
    assert_eq!(workshop.observe(&late).await.action, Action::Late);
    assert_eq!(workshop.view().await.seq(), before);
}

#[tokio::test]
async fn the_running_candidate_is_not_started_again_but_may_be_put() {
    let workshop = under_way().await;
    let two = "support@2".parse().unwrap();
    let again = workshop
        .rollouts
        .start(&prod(), &two, &plan(), actor(), "again")
        .await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let status = workshop.put(&two).await;
    assert_eq!(
        (status.state, status.unit),
        (Phase::Completed, node("unit:support@2"))
    );
}

#[tokio::test]
async fn a_window_observed_twice_is_counted_and_logged_once() {
    let workshop = under_way().await;
    let named = window((90, 1), (10, 0)).with_id(name("web-1"), 1).unwrap();
    assert_eq!(workshop.observe(&named).await.action, Action::Held);
    let before = workshop.view().await.seq();
    let again = workshop.observe(&named).await;
    assert_eq!(again.action, Action::Repeated);
    assert_eq!(again.status.guardrails[0].report.n, 10);
    assert_eq!(workshop.view().await.seq(), before);
}

#[tokio::test]
async fn a_rollout_without_data_stays_where_it_is() {
    let workshop = under_way().await;
    for _ in 0..10 {
        let decision = workshop.observe(&window((0, 0), (0, 0))).await;
        assert_eq!(decision.action, Action::Held);
        assert_eq!(decision.status.step, 0);
    }
}

#[tokio::test]
async fn windows_after_the_end_are_dropped() {
    let workshop = under_way().await;
    workshop
        .rollouts
        .rollback(&prod(), actor(), "stop")
        .await
        .unwrap();
    let before = workshop.view().await.seq();
    assert_eq!(workshop.observe(&healthy()).await.action, Action::Ended);
    assert_eq!(workshop.view().await.seq(), before);
}

#[tokio::test]
async fn a_paused_rollout_is_not_promoted_but_rolled_back() {
    let workshop = under_way().await;
    let paused = workshop
        .rollouts
        .pause(&prod(), actor(), "lunch")
        .await
        .unwrap();
    assert_eq!(paused.state, Phase::Paused);
    let held = workshop.observe(&healthy()).await;
    assert_eq!((held.action, held.status.step), (Action::Held, 0));
    let promote = workshop.rollouts.promote(&prod(), actor(), "go").await;
    assert_eq!(promote.unwrap_err().kind(), ErrorKind::Conflict);
    workshop
        .rollouts
        .resume(&prod(), actor(), "back")
        .await
        .unwrap();
    workshop
        .rollouts
        .pause(&prod(), actor(), "hm")
        .await
        .unwrap();
    let status = workshop
        .rollouts
        .rollback(&prod(), actor(), "no")
        .await
        .unwrap();
    assert_eq!(status.state, Phase::RolledBack);
}

#[tokio::test]
async fn verbs_on_a_channel_that_does_not_exist_say_so() {
    let workshop = Workshop::new().await;
    let nowhere = name("nowhere");
    let view = workshop.view().await;
    for error in [
        workshop
            .rollouts
            .pause(&nowhere, actor(), "x")
            .await
            .unwrap_err(),
        workshop
            .rollouts
            .resume(&nowhere, actor(), "x")
            .await
            .unwrap_err(),
        workshop
            .rollouts
            .promote(&nowhere, actor(), "x")
            .await
            .unwrap_err(),
        workshop
            .rollouts
            .rollback(&nowhere, actor(), "x")
            .await
            .unwrap_err(),
        workshop
            .rollouts
            .observe(&nowhere, &healthy(), actor())
            .await
            .unwrap_err(),
        Rollouts::status(&view, &nowhere).unwrap_err(),
        Rollouts::router(&view, &nowhere).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}

#[tokio::test]
async fn plans_without_a_meaning_are_refused_and_nothing_is_written() {
    let workshop = under_way().await;
    let three = workshop.unit(3).await;
    let before = workshop.view().await.seq();
    let failures = RolloutPlan::default().guardrails.remove(0);
    let twice = [failures.clone(), failures];
    for plan in [
        plan().with_steps([]),
        plan().with_steps([10_000]),
        plan().with_steps([0, 5_000]),
        plan().with_steps([5_000, 1_000]),
        plan().with_steps([5_000, 5_000]),
        plan().with_steps([20_000]),
        plan().with_guardrails([]),
        plan().with_guardrails(twice),
        plan().with_min_requests_per_step(u64::MAX),
        plan().with_salt("s".repeat(2_000)),
    ] {
        let start = workshop
            .rollouts
            .start(&prod(), &three, &plan, actor(), "x")
            .await;
        assert_eq!(start.unwrap_err().kind(), ErrorKind::Invalid, "{plan:?}");
    }
    let missing = "support@99".parse().unwrap();
    let start = workshop
        .rollouts
        .start(&prod(), &missing, &plan(), actor(), "x")
        .await;
    assert_eq!(start.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(workshop.view().await.seq(), before);
}

#[tokio::test]
async fn status_has_the_fields_that_the_command_line_prints() {
    let workshop = under_way().await;
    let json = serde_json::to_value(workshop.status().await).unwrap();
    for field in [
        "channel",
        "unit",
        "candidate",
        "state",
        "step",
        "weights",
        "guardrails",
        "last_event",
    ] {
        assert!(json.get(field).is_some(), "{field}");
    }
    assert_eq!(json["state"], "running");
    assert_eq!(json["weights"]["canary"], 1_000);
    let guardrail = &json["guardrails"][0];
    assert_eq!(guardrail["name"], "failures");
    assert_eq!(guardrail["verdict"], "no_data");
    assert_eq!(guardrail["n"], 0);
    assert_eq!(guardrail["e_value"], 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_controllers_that_observe_at_once_lose_nothing() {
    let storage = Arc::new(MemoryStorage::new());
    let one = Workshop::on(Arc::clone(&storage) as _).await;
    let (first, second) = (one.unit(1).await, one.unit(2).await);
    one.put(&first).await;
    one.start(&second).await;
    let before = one.view().await.seq();
    let other = Workshop::opened(storage, 2).await;

    let send = |rollouts: Rollouts, source: &'static str| async move {
        for number in 1..=20 {
            let window = window((9, 0), (1, 0))
                .with_id(name(source), number)
                .unwrap();
            rollouts.observe(&prod(), &window, actor()).await.unwrap();
        }
    };
    let tasks = [
        tokio::spawn(send(one.rollouts.clone(), "web-1")),
        tokio::spawn(send(other.rollouts.clone(), "web-2")),
    ];
    for task in tasks {
        task.await.unwrap();
    }
    let status = one.status().await;
    assert_eq!(status.guardrails[0].report.n, 40);
    assert_eq!(status.guardrails[0].report.control.requests(), 360);
    assert_eq!(one.view().await.seq(), before + 40);
}
