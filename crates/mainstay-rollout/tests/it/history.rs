use futures::TryStreamExt;
use mainstay_core::ErrorKind;
use mainstay_rollout::{Event, Phase, Rollouts};

use crate::workshop::{Workshop, actor, broken, healthy, name, node, prod};

#[tokio::test]
async fn history_tells_every_rollout_newest_first() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.put(&one).await;
    workshop.start(&two).await;
    workshop.observe(&healthy()).await;
    workshop.observe(&broken()).await;
    let events = workshop.rollouts.history(&prod()).await.unwrap();
    let events: Vec<_> = events.try_collect().await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.rollout.to_string(), event.state, event.step))
        .collect();
    let (first, second) = ("rollout:prod@1".to_owned(), "rollout:prod@2".to_owned());
    assert_eq!(
        told,
        [
            (second.clone(), Phase::RolledBack, 1),
            (second.clone(), Phase::Running, 1),
            (second, Phase::Running, 0),
            (first, Phase::Completed, 0),
        ]
    );
    assert!(matches!(events[0].event, Event::RolledBack { .. }));
    assert!(
        events[0]
            .reason
            .starts_with("rolled back: guardrail failures")
    );
    assert!(matches!(
        events[1].event,
        Event::Advanced {
            step: 1,
            share: 5_000
        }
    ));
    assert_eq!(events[1].window.as_ref().unwrap().canary.requests(), 600);
    assert_eq!(events[2].reason, "start");
    assert_eq!(events[2].window, None);
    let nowhere = workshop.rollouts.history(&name("nowhere")).await;
    assert_eq!(nowhere.err().unwrap().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_channel_can_be_read_as_it_stood_at_any_time() {
    let workshop = Workshop::new().await;
    let (one, two) = (workshop.unit(1).await, workshop.unit(2).await);
    workshop.put(&one).await;
    workshop.start(&two).await;
    let running = workshop.view().await;
    let then = Rollouts::status(&running, &prod()).unwrap();
    workshop
        .rollouts
        .promote(&prod(), actor(), "go")
        .await
        .unwrap();
    let again = workshop.repo.view_at(running.seq()).await.unwrap();
    assert_eq!(Rollouts::status(&again, &prod()).unwrap(), then);
    assert_eq!(
        Rollouts::router(&again, &prod()).unwrap().canary(),
        Some(&node("unit:support@2"))
    );
}

#[tokio::test]
async fn a_rollout_names_what_it_deploys_what_it_replaces_and_what_it_stopped() {
    let workshop = Workshop::new().await;
    let (one, two, three) = (
        workshop.unit(1).await,
        workshop.unit(2).await,
        workshop.unit(3).await,
    );
    workshop.put(&one).await;
    workshop.start(&two).await;
    workshop.start(&three).await;
    let view = workshop.view().await;
    let state = view
        .get(&node("rollout:prod@3").ref_path())
        .unwrap()
        .unwrap();
    let edges: Vec<String> = state
        .value
        .as_ref()
        .unwrap()
        .edges
        .iter()
        .map(|edge| format!("{} {}", edge.kind, edge.to))
        .collect();
    assert_eq!(
        edges,
        [
            "used unit:support@1",
            "deploys unit:support@3",
            "supersedes rollout:prod@2"
        ]
    );
}
