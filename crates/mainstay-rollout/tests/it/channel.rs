use mainstay_core::{Error, ErrorKind};
use mainstay_repo::{Expectation, Transaction, Value};
use mainstay_rollout::{ChannelConfig, Phase, Rollouts, UnitSpec};

use crate::workshop::{
    ALIAS, LABEL, Workshop, actor, healthy, name, node, path, plan, pointee, pointers, prod,
};

#[tokio::test]
async fn a_put_moves_the_channel_its_components_and_what_follows_in_one_entry() {
    let workshop = Workshop::new().await;
    let one = workshop.unit(1).await;
    workshop.follow().await;
    let before = workshop.view().await.seq();
    let status = workshop.put(&one).await;
    let view = workshop.view().await;
    assert_eq!(view.seq(), before + 1);
    assert_eq!(
        (status.state, status.weights.canary),
        (Phase::Completed, 10_000)
    );
    for (pointer, to) in [
        ("channel/prod/current", "unit:support@1"),
        ("channel/prod/component/model", "model:fraud@1"),
        ("channel/prod/component/prompt", "prompt:support@1"),
        ("channel/prod/component/data", "data:tickets@1"),
        ("channel/prod/component/env", "env:server@1"),
        (LABEL, "prompt:support@1"),
        (ALIAS, "model:fraud@1"),
    ] {
        assert_eq!(pointee(&view, pointer).as_deref(), Some(to));
    }
    assert_eq!(Rollouts::channels(&view).unwrap(), [prod()]);
}

#[tokio::test]
async fn rolling_back_a_put_restores_every_pointer_in_one_entry() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.follow().await;
    workshop.put(&one).await;
    let before = workshop.view().await;
    workshop.put(&two).await;
    let switched = workshop.view().await;
    assert_eq!(
        pointee(&switched, LABEL).as_deref(),
        Some("prompt:support@2")
    );

    let status = workshop
        .rollouts
        .rollback(&prod(), actor(), "bad")
        .await
        .unwrap();
    let after = workshop.view().await;
    assert_eq!(after.seq(), switched.seq() + 1);
    assert_eq!(pointers(&after), pointers(&before));
    assert_eq!(status.state, Phase::RolledBack);
    assert_eq!(status.unit, node("unit:support@1"));
}

#[tokio::test]
async fn rolling_back_removes_the_slots_the_older_unit_lacks_and_restores_what_followed() {
    let workshop = Workshop::new().await;
    // The label was set by hand before any unit with a prompt was served.
    let mut transaction = Transaction::new(actor(), "by hand");
    transaction.set(
        path(LABEL),
        Value::pointer(&node("prompt:support@4")),
        Expectation::Absent,
    );
    workshop.commit(transaction).await;
    let bare = UnitSpec::new(name("support")).with_component(name("model"), node("model:fraud@3"));
    let bare = workshop
        .units
        .create(bare, actor(), "built")
        .await
        .unwrap()
        .node
        .into();
    let full = workshop.unit(2).await;
    workshop.follow().await;
    workshop.put(&bare).await;
    let before = workshop.view().await;
    assert_eq!(pointee(&before, LABEL).as_deref(), Some("prompt:support@4"));
    workshop.put(&full).await;
    workshop
        .rollouts
        .rollback(&prod(), actor(), "bad")
        .await
        .unwrap();
    let after = workshop.view().await;
    assert_eq!(pointers(&after), pointers(&before));
    assert_eq!(pointee(&after, "channel/prod/component/prompt"), None);
}

#[tokio::test]
async fn a_pointer_that_follows_no_more_is_left_alone_by_a_rollback() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.follow().await;
    workshop.put(&one).await;
    workshop.put(&two).await;
    let config = ChannelConfig::default().with_follow(name("model"), path(ALIAS));
    workshop
        .rollouts
        .configure(&prod(), &config, actor(), "unfollow")
        .await
        .unwrap();
    workshop
        .rollouts
        .rollback(&prod(), actor(), "bad")
        .await
        .unwrap();
    let view = workshop.view().await;
    assert_eq!(pointee(&view, LABEL).as_deref(), Some("prompt:support@2"));
    assert_eq!(pointee(&view, ALIAS).as_deref(), Some("model:fraud@1"));
}

#[tokio::test]
async fn there_is_nothing_to_roll_back_to_at_first() {
    let workshop = Workshop::new().await;
    let prod = prod();
    let rollback = || workshop.rollouts.rollback(&prod, actor(), "bad");
    assert_eq!(rollback().await.unwrap_err().kind(), ErrorKind::NotFound);
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.put(&one).await;
    let error = rollback().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("served nothing before"),
        "{error}"
    );
    workshop.put(&two).await;
    rollback().await.unwrap();
    assert_eq!(rollback().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn rollbacks_go_back_step_by_step_and_never_forward() {
    let workshop = Workshop::new().await;
    for n in 1..=3 {
        let unit = workshop.unit(n).await;
        workshop.put(&unit).await;
    }
    for (expected, undone) in [
        ("unit:support@2", "rollout:prod@3"),
        ("unit:support@1", "rollout:prod@2"),
    ] {
        let status = workshop
            .rollouts
            .rollback(&prod(), actor(), "bad")
            .await
            .unwrap();
        assert_eq!(status.unit, node(expected));
        assert_eq!(status.rollout, node(undone));
        assert_eq!(workshop.status().await, status);
    }
}

#[tokio::test]
async fn what_serves_already_is_not_put_or_started_again() {
    let workshop = Workshop::new().await;
    let one = workshop.unit(1).await;
    workshop.put(&one).await;
    let put = workshop.rollouts.put(&prod(), &one, actor(), "again").await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::AlreadyExists);
    let start = workshop
        .rollouts
        .start(&prod(), &one, &plan(), actor(), "again")
        .await;
    assert_eq!(start.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_pointer_never_follows_what_it_cannot_name() {
    let workshop = Workshop::new().await;
    let one = workshop.unit(1).await;
    for bad in [
        "model/fraud/version/1",
        "model/fraud/alias/latest",
        "channel/prod/component/model",
        "unit/support/tag/x",
        "model/fraud",
        "nothing/fraud/alias/x",
    ] {
        let error = follow_with_model(&workshop, bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bad}");
    }
    follow_with_model(&workshop, "model/another/alias/champion")
        .await
        .unwrap();
    let put = workshop.rollouts.put(&prod(), &one, actor(), "put").await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Incompatible);
}

async fn follow_with_model(workshop: &Workshop, pointer: &str) -> Result<(), Error> {
    let config = ChannelConfig::default().with_follow(name("model"), path(pointer));
    workshop
        .rollouts
        .configure(&prod(), &config, actor(), "follow")
        .await
}

#[tokio::test]
async fn a_pointer_follows_one_channel_only() {
    let workshop = Workshop::new().await;
    workshop.follow().await;
    let config = ChannelConfig::default().with_follow(name("prompt"), path(LABEL));
    let error = workshop
        .rollouts
        .configure(&name("staging"), &config, actor(), "follow")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("prod"), "{error}");
}

#[tokio::test]
async fn configuring_aligns_what_follows_with_what_serves() {
    let workshop = Workshop::new().await;
    let two = workshop.unit(2).await;
    workshop.put(&two).await;
    workshop.follow().await;
    let view = workshop.view().await;
    assert_eq!(pointee(&view, ALIAS).as_deref(), Some("model:fraud@2"));
    // The same configuration again changes nothing.
    workshop.follow().await;
    assert_eq!(workshop.view().await.seq(), view.seq());
}

#[tokio::test]
async fn a_plan_made_against_another_state_is_refused() {
    let workshop = Workshop::new().await;
    let (one, two, three) = (
        workshop.unit(1).await,
        workshop.unit(2).await,
        workshop.unit(3).await,
    );
    workshop.put(&one).await;
    let stale = Rollouts::plan_put(&workshop.view().await, &prod(), &two).unwrap();
    workshop.put(&three).await;
    let before = workshop.view().await.seq();
    let error = workshop
        .rollouts
        .apply(stale, actor(), "late")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(workshop.view().await.seq(), before);
}

#[tokio::test]
async fn a_plan_says_what_moves_and_applying_it_does_just_that() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.follow().await;
    workshop.put(&one).await;
    let plan = Rollouts::plan_put(&workshop.view().await, &prod(), &two).unwrap();
    let text = plan.to_string();
    for line in [
        "put rollout:prod@2 in channel prod",
        "  from    unit:support@1",
        "  to      unit:support@2",
        "  moves   channel/prod/current: unit:support@1 -> unit:support@2",
        "  moves   prompt/support/label/production: prompt:support@1 -> prompt:support@2",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    let before = pointers(&workshop.view().await);
    let moves = plan.moves.clone();
    workshop
        .rollouts
        .apply(plan, actor(), "as planned")
        .await
        .unwrap();
    let mut expected = before;
    for step in moves {
        expected.insert(step.pointer, step.to.unwrap());
    }
    assert_eq!(pointers(&workshop.view().await), expected);
}

#[tokio::test]
async fn a_channel_moved_behind_the_rollouts_back_is_not_rolled_back_blindly() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.unit(3).await;
    workshop.put(&one).await;
    workshop.start(&two).await;
    workshop.observe(&healthy()).await;
    let mut transaction = Transaction::new(actor(), "by hand");
    let other = Value::pointer(&node("unit:support@3"));
    transaction.set(path("channel/prod/current"), other, Expectation::Any);
    workshop.commit(transaction).await;
    let error = workshop
        .rollouts
        .promote(&prod(), actor(), "go")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}
