//! What is served where.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use mainstay_core::{ErrorKind, NodeRef};
use mainstay_registry::Registry;
use mainstay_registry::search::Page;
use mainstay_registry::serving::{HeartbeatSpec, Of, deployments};
use mainstay_repo::{Repo, RepoOptions};
use mainstay_store::fault::{Applied, FaultStorage};
use mainstay_store::{MemoryStorage, Storage};
use rand::seq::IteratorRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::fixture::{Fixture, ada, check_golden_ref, locator, name, node, spec};

fn beat<'m>(
    service: &str,
    instance: &str,
    models: impl IntoIterator<Item = &'m NodeRef>,
) -> HeartbeatSpec {
    let spec = HeartbeatSpec::new(name(service), name(instance), ada());
    models
        .into_iter()
        .fold(spec, |spec, model| spec.with_model(model.clone()))
}

/// `service/instance model@version` of everything that is served.
async fn served(registry: &Registry, of: &Of) -> Vec<String> {
    let found = registry.serving(of).await.unwrap();
    let shown = found.iter().map(|serving| {
        let deployment = &serving.deployment;
        let (service, instance) = (&deployment.service, &deployment.instance);
        format!("{service}/{instance} {}", deployment.model)
    });
    shown.collect()
}

#[tokio::test]
async fn only_a_change_of_what_is_served_reaches_the_log() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    let one = fixture.weights("fraud", "one").await.node;
    let two = fixture.weights("fraud", "two").await.node;
    let began = registry.heartbeat(beat("web", "a", [&one])).await.unwrap();
    assert_eq!(began.began, std::slice::from_ref(&one));
    assert!(began.seq.is_some());
    check_golden_ref(
        &fixture,
        "deployment/web/version/1",
        "deployment/v1/serving.json",
    )
    .await;
    let since = fixture.now();
    fixture.clock.advance(Duration::from_mins(5));
    let again = registry.heartbeat(beat("web", "a", [&one])).await.unwrap();
    assert_eq!((again.seq, again.serving), (None, began.serving.clone()));

    let found = registry.serving(&Of::Everything).await.unwrap();
    assert_eq!((found[0].since, found[0].seen), (since, fixture.now()));
    let now = fixture.now().saturating_add(Duration::from_mins(2));
    assert!(!found[0].is_stale(now, Duration::from_mins(2)));
    assert!(found[0].is_stale(now, Duration::from_secs(119)));

    // Both for a while, then the new one, then nothing.
    registry
        .heartbeat(beat("web", "a", [&one, &two]))
        .await
        .unwrap();
    let moved = registry.heartbeat(beat("web", "a", [&two])).await.unwrap();
    assert_eq!((moved.began, moved.ended), (Vec::new(), vec![one.clone()]));
    assert_eq!(
        served(registry, &Of::Version(one)).await,
        Vec::<String>::new()
    );
    assert_eq!(
        served(registry, &Of::Version(two)).await,
        ["web/a model:fraud@1.1.0"]
    );
    registry.heartbeat(beat("web", "a", [])).await.unwrap();
    assert!(served(registry, &Of::Everything).await.is_empty());
    // The past is still there.
    let view = fixture.repo.view_at(began.seq.unwrap()).await.unwrap();
    let then = view.read(|view| deployments(view, &Of::Everything)).await;
    assert_eq!(then.unwrap()[0].node, began.serving[0]);
}

#[tokio::test]
async fn what_is_served_is_not_deleted_unasked_and_a_deleted_version_may_be_served() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    let one = fixture.weights("fraud", "one").await.node;
    registry.heartbeat(beat("web", "a", [&one])).await.unwrap();
    let error = registry.delete(&locator("fraud"), ada(), "gone").await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("deployment:web@1"), "{error}");
    registry
        .delete_used(&locator("fraud"), ada(), "gone")
        .await
        .unwrap();
    registry.heartbeat(beat("web", "b", [&one])).await.unwrap();
    let both = ["web/a model:fraud@1.0.0", "web/b model:fraud@1.0.0"];
    assert_eq!(served(registry, &Of::Version(one)).await, both);
    // What nobody serves any more does not keep a version.
    let other = fixture.weights("churn", "one").await.node;
    registry
        .heartbeat(beat("web", "c", [&other]))
        .await
        .unwrap();
    registry.heartbeat(beat("web", "c", [])).await.unwrap();
    registry
        .delete(&locator("churn"), ada(), "gone")
        .await
        .unwrap();
}

#[tokio::test]
async fn what_never_was_or_is_no_model_is_refused_and_nothing_is_written() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    let one = fixture.weights("fraud", "one").await.node;
    let head = fixture.repo.view().await.unwrap().seq();
    let [unknown, data] = ["model:fraud@2.0.0", "data:fraud@1"].map(node);
    for (models, kind) in [
        ([&one, &unknown], ErrorKind::NotFound),
        ([&one, &data], ErrorKind::Invalid),
    ] {
        let error = registry.heartbeat(beat("web", "a", models)).await;
        assert_eq!(error.unwrap_err().kind(), kind);
    }
    assert_eq!(fixture.repo.view().await.unwrap().seq(), head);
    assert!(served(registry, &Of::Everything).await.is_empty());
}

#[tokio::test]
async fn instances_that_begin_at_once_each_have_their_own_node() {
    let fixture = Fixture::new().await;
    let one = fixture.weights("fraud", "one").await.node;
    let beats = (0..12).map(|instance| {
        let spec = beat("web", &format!("pod-{instance}"), [&one]);
        fixture.registry.heartbeat(spec)
    });
    let nodes = join_all(beats).await.into_iter();
    let nodes: BTreeSet<NodeRef> = nodes.flat_map(|beat| beat.unwrap().serving).collect();
    assert_eq!(nodes.len(), 12);
    assert_eq!(
        fixture
            .registry
            .serving(&Of::Version(one))
            .await
            .unwrap()
            .len(),
        12
    );
}

#[tokio::test]
async fn any_heartbeats_leave_what_each_instance_said_last() {
    let long = std::env::var("MAINSTAY_LONG").is_ok_and(|long| long == "1");
    for seed in 0..if long { 200 } else { 6 } {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let fixture = Fixture::new().await;
        let mut models = Vec::new();
        for (model, weights) in [("fraud", "1"), ("fraud", "2"), ("churn", "1")] {
            models.push(fixture.weights(model, weights).await.node);
        }
        let mut said: BTreeMap<(&str, &str), BTreeSet<NodeRef>> = BTreeMap::new();
        for _ in 0..25 {
            let service = *["web", "app"].iter().choose(&mut random).unwrap();
            let instance = *["a", "b"].iter().choose(&mut random).unwrap();
            let chosen: BTreeSet<NodeRef> = models
                .iter()
                .filter(|_| random.random_bool(0.4))
                .cloned()
                .collect();
            let spec = beat(service, instance, &chosen);
            let answer = fixture.registry.heartbeat(spec).await.unwrap();
            let before = said.insert((service, instance), chosen.clone());
            let before = before.unwrap_or_default();
            assert_eq!(answer.seq.is_none(), before == chosen, "seed {seed}");
        }
        let expected = |keep: &dyn Fn(&str, &NodeRef) -> bool| {
            let all = said.iter().flat_map(|((service, instance), models)| {
                let kept = models.iter().filter(|model| keep(service, model));
                kept.map(move |model| format!("{service}/{instance} {model}"))
            });
            all.collect::<BTreeSet<_>>()
        };
        let version = models[0].clone();
        for (of, expected) in [
            (Of::Everything, expected(&|_, _| true)),
            (
                Of::Service(name("web")),
                expected(&|service, _| service == "web"),
            ),
            (
                Of::Model(name("fraud")),
                expected(&|_, model| model.name().as_str() == "fraud"),
            ),
            (
                Of::Version(version.clone()),
                expected(&|_, model| *model == version),
            ),
        ] {
            let found = served(&fixture.registry, &of).await;
            assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected);
            assert_eq!(found.len(), expected.len(), "seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_search_finds_what_is_served_and_by_whom() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    let one = fixture.weights("fraud", "one").await.node;
    let two = fixture.weights("fraud", "two").await.node;
    fixture.weights("spare", "three").await;
    fixture.produce("fraud@1.1.0").await;
    for (service, instance, models) in [
        ("checkout", "a", vec![&one]),
        ("checkout", "b", vec![&two]),
        ("back-office", "a", vec![&two]),
    ] {
        registry
            .heartbeat(beat(service, instance, models))
            .await
            .unwrap();
    }
    let seq = fixture.repo.view().await.unwrap().seq();
    let check = async |cases: &[(&str, &[&str])]| {
        for (query, expected) in cases {
            let page = registry.search(query, &Page::default()).await.unwrap();
            let found = page.results.iter();
            let found: Vec<_> = found
                .map(|hit| format!("{}@{}", hit.model, hit.version))
                .collect();
            assert_eq!(found, *expected, "{query}");
        }
    };
    let (old, new, spare) = ("fraud@1.0.0", "fraud@1.1.0", "spare@1.0.0");
    check(&[
        ("served IS NOT NULL", &[new, old]),
        ("served IS NULL", &[spare]),
        ("served = 'checkout'", &[new, old]),
        ("served = 'back-office'", &[new]),
        ("served LIKE 'back%' AND stage = 'production'", &[new]),
        // None of its services is.
        ("served != 'back-office' AND name = 'fraud'", &[old]),
        ("served IS NOT NULL AND stage != 'production'", &[old]),
    ])
    .await;
    registry.heartbeat(beat("checkout", "a", [])).await.unwrap();
    let then = format!("served IS NOT NULL AS OF {seq}");
    check(&[("served IS NOT NULL", &[new]), (&then, &[new, old])]).await;
    assert!(
        registry
            .search("ORDER BY served", &Page::default())
            .await
            .is_err()
    );
}

/// Says `said`, one after the other, until the storage fails; returns how many were answered.
async fn say(storage: Arc<dyn Storage>, said: &[&[&str]]) -> usize {
    let Ok(repo) = Repo::create(storage, RepoOptions::default()).await else {
        return 0;
    };
    let registry = Registry::new(repo);
    for weights in ["one", "two"] {
        if registry.register(spec("fraud", weights)).await.is_err() {
            return 0;
        }
    }
    for (answered, models) in said.iter().enumerate() {
        let models: Vec<NodeRef> = models.iter().map(|model| node(model)).collect();
        if registry.heartbeat(beat("web", "a", &models)).await.is_err() {
            return answered;
        }
    }
    said.len()
}

#[tokio::test]
async fn a_crash_at_any_operation_leaves_what_was_said_last_or_was_being_said() {
    let (one, two) = ("model:fraud@1.0.0", "model:fraud@1.1.0");
    let said: [&[&str]; 6] = [&[one], &[one], &[one, two], &[two], &[], &[two]];
    let shown = |models: &[&str]| -> Vec<String> {
        let models = models.iter();
        models.map(|model| format!("web/a {model}")).collect()
    };
    let whole = Arc::new(FaultStorage::new(MemoryStorage::new()));
    assert_eq!(
        say(Arc::<FaultStorage<_>>::clone(&whole) as _, &said).await,
        said.len()
    );
    for operation in 0..whole.operations() {
        for applied in [Applied::Yes, Applied::No] {
            let storage = Arc::new(FaultStorage::new(MemoryStorage::new()));
            storage.crash_at(operation, applied);
            let answered = say(Arc::<FaultStorage<_>>::clone(&storage) as _, &said).await;
            storage.revive();
            let Ok(repo) = Repo::open(storage, RepoOptions::default()).await else {
                assert_eq!(answered, 0, "at {operation}");
                continue;
            };
            let registry = Registry::new(repo);
            let before = answered.checked_sub(1).map_or(&[][..], |at| said[at]);
            let begun = said.get(answered).copied().unwrap_or(before);
            let mut found = served(&registry, &Of::Everything).await;
            found.sort();
            let may_be = [shown(before), shown(begun)];
            assert!(
                may_be.contains(&found),
                "at {operation}: {found:?} of {may_be:?}"
            );
            if registry.resolve(&locator("fraud@1.1.0")).await.is_err() {
                continue;
            }
            // Whoever comes back says it again, and is heard.
            let models: Vec<NodeRef> = begun.iter().map(|model| node(model)).collect();
            let again = registry.heartbeat(beat("web", "a", &models)).await.unwrap();
            let mut found = served(&registry, &Of::Everything).await;
            found.sort();
            assert_eq!(found, shown(begun), "at {operation}");
            let nodes = again.serving.len();
            assert_eq!(nodes, begun.len(), "at {operation}");
        }
    }
}
