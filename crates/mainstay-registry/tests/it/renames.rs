//! Renaming: what is kept of a model stays, and a name with a number never means two things.

use std::collections::BTreeSet;

use mainstay_core::{ErrorKind, Name, NodeRef};
use mainstay_registry::search::Page;
use mainstay_registry::serving::{HeartbeatSpec, Of};
use mainstay_registry::{
    ApproveSpec, Bump, Gate, ModelSpec, PromoteSpec, Relation, Renamed, RollbackSpec, StagePolicy,
    UploadSpec, list, model_id, model_name, resolve_req, stage_holder, versions,
};

use crate::fixture::{Fixture, ada, check_golden_ref, file, locator, name, spec};

async fn rename(fixture: &Fixture, from: &str, to: &str) -> mainstay_core::Result<Renamed> {
    let (from, to) = (name(from), name(to));
    fixture.registry.rename(&from, &to, ada(), "rename").await
}

async fn refused(fixture: &Fixture, from: &str, to: &str) -> ErrorKind {
    let head = fixture.repo.view().await.unwrap().seq();
    let error = rename(fixture, from, to).await.unwrap_err();
    assert_eq!(fixture.repo.view().await.unwrap().seq(), head, "{error}");
    error.kind()
}

async fn find(fixture: &Fixture, text: &str) -> Option<String> {
    let found = fixture.registry.resolve(&locator(text)).await;
    found.ok().map(|node| node.to_string())
}

async fn called(fixture: &Fixture, text: &str) -> String {
    let info = fixture.registry.show(&locator(text)).await.unwrap();
    info.model.to_string()
}

async fn found(fixture: &Fixture, query: &str) -> Vec<String> {
    let page = fixture.registry.search(query, &Page::default()).await;
    let hits = page.unwrap().results.into_iter();
    hits.map(|hit| format!("{}@{}", hit.model, hit.version))
        .collect()
}

fn new_model(model: &str, weights: &str) -> ModelSpec {
    spec(model, weights).of_new_model()
}

#[tokio::test]
async fn everything_about_a_model_is_found_by_its_new_name() {
    let fixture = Fixture::new().await;
    let policy = StagePolicy::default().with_gate(
        name("staging"),
        Gate::Approvals {
            count: 1,
            roles: BTreeSet::new(),
            author: false,
            valid_hours: None,
        },
    );
    fixture.weights("fraud", "one").await;
    fixture.produce("fraud@1.0.0").await;
    fixture.weights("fraud", "two").await;
    let (fraud, nobody) = (name("fraud"), BTreeSet::new());
    let set =
        fixture
            .registry
            .set_stage_policy(&fraud, policy.clone(), ada(), &nobody, "four eyes");
    set.await.unwrap();
    let eve = mainstay_core::Actor::new("eve").unwrap();
    let approve = ApproveSpec::new(locator("fraud"), name("staging"), eve, "seen");
    fixture.registry.approve(approve).await.unwrap();
    fixture.alias("fraud@1.0.0", "champion").await;
    let expires = fixture.now();
    let upload = UploadSpec::new(name("fraud"), name("big"), expires, ada(), "begin");
    fixture.registry.begin_upload(upload).await.unwrap();
    let node: NodeRef = "model:fraud@1.0.0".parse().unwrap();
    let beat = HeartbeatSpec::new(name("checkout"), name("pod"), ada()).with_model(node.clone());
    fixture.registry.heartbeat(beat).await.unwrap();
    let child = spec("child", "small").with_parent(node.clone(), Relation::Distill);
    fixture.register(child).await;

    let renamed = rename(&fixture, "fraud", "risk").await.unwrap();
    assert_eq!((renamed.id, renamed.from), (name("fraud"), name("fraud")));

    let view = fixture.repo.view().await.unwrap();
    let risk = name("risk");
    assert_eq!(find(&fixture, "risk").await.unwrap(), "model:fraud@1.1.0");
    for pinned in ["risk@1.0.0", "risk@champion", "risk@production", "risk@1.0"] {
        assert_eq!(
            find(&fixture, pinned).await.unwrap(),
            "model:fraud@1.0.0",
            "{pinned}"
        );
    }
    let requirement = ">=1".parse().unwrap();
    let highest = resolve_req(&view, &risk, &requirement).unwrap();
    assert_eq!(highest.to_string(), "model:fraud@1.1.0");
    assert_eq!(StagePolicy::of(&view, &risk).unwrap().gates, policy.gates);
    let holder = stage_holder(&view, &risk, &name("production")).unwrap();
    assert_eq!(holder.as_ref(), Some(&node));
    assert_eq!(versions(&view, &risk).unwrap().len(), 2);
    let names: Vec<String> = list(&view)
        .unwrap()
        .iter()
        .map(|model| model.model.to_string())
        .collect();
    assert_eq!(names, ["child", "risk"]);
    assert_eq!(called(&fixture, "risk@1.0.0").await, "risk");
    let history = fixture.registry.stage_history(&risk, None).await.unwrap();
    assert_eq!(history.len(), 2);
    let champion = name("champion");
    let history = fixture.registry.alias_history(&risk, &champion);
    assert_eq!(history.await.unwrap().len(), 1);
    let served = fixture.registry.serving(&Of::Model(risk.clone())).await;
    assert_eq!(served.unwrap()[0].deployment.model, node);
    let uploads = mainstay_registry::uploads(&view).unwrap();
    assert_eq!(uploads[0].model, risk);
    let (big, files) = (name("big"), [file("model.bin", "three")]);
    let uploaded = fixture
        .registry
        .upload(&risk, &big, &files, ada(), "upload");
    uploaded.await.unwrap();

    // The approval of before still counts, and so does the incumbent.
    let promote = fixture.promote("risk@1.1.0", "staging").await;
    assert!(
        matches!(promote, mainstay_registry::Promotion::Promoted(_)),
        "{promote:?}"
    );
    fixture.promote("risk@1.1.0", "production").await;
    assert_eq!(fixture.stage("risk@1.0.0").await, "archived");
    let back = RollbackSpec::new(risk.clone(), name("production"), ada(), "back");
    assert_eq!(fixture.registry.rollback(back).await.unwrap().to, node);

    let upload = ModelSpec::new(risk.clone(), ada(), "register").with_upload(name("big"));
    let registered = fixture.register(upload).await;
    assert_eq!(registered.node.to_string(), "model:fraud@1.2.0");
    assert_eq!((registered.model, registered.ordinal), (risk, 3));
}

#[tokio::test]
async fn a_rename_writes_two_refs_and_touches_no_version() {
    let fixture = Fixture::new().await;
    for weights in ["one", "two", "three"] {
        fixture.weights("fraud", weights).await;
    }
    let before = fixture.repo.view().await.unwrap().seq();
    let renamed = rename(&fixture, "fraud", "risk").await.unwrap();
    assert_eq!(renamed.seq, Some(before + 1));
    let view = fixture.repo.view().await.unwrap();
    let changed = view.below("").unwrap();
    let changed: Vec<&str> = changed
        .filter(|(_, state)| state.seq == before + 1)
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(changed, ["model/fraud/name/current", "model-name/risk"]);
    check_golden_ref(
        &fixture,
        "model/fraud/name/current",
        "model-version/v2/called.json",
    )
    .await;
    check_golden_ref(&fixture, "model-name/risk", "model-version/v2/name.json").await;

    // Another process sees the same.
    let other = mainstay_registry::Registry::new(fixture.reopened().await);
    let found = other.resolve(&locator("risk@1.1.0")).await.unwrap();
    assert_eq!(found.to_string(), "model:fraud@1.1.0");
}

#[tokio::test]
async fn the_old_name_leads_on_and_a_version_registered_by_it_joins_the_others() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    rename(&fixture, "fraud", "risk").await.unwrap();
    rename(&fixture, "risk", "danger").await.unwrap();
    for old in ["fraud", "risk", "danger"] {
        assert_eq!(
            find(&fixture, old).await.unwrap(),
            "model:fraud@1.0.0",
            "{old}"
        );
        assert_eq!(called(&fixture, old).await, "danger", "{old}");
    }
    let registered = fixture.weights("risk", "two").await;
    assert_eq!(registered.node.to_string(), "model:fraud@1.1.0");
    assert_eq!(registered.model, name("danger"));
    assert_eq!(registered.ordinal, 2);
}

#[tokio::test]
async fn the_past_speaks_of_the_old_name() {
    let fixture = Fixture::new().await;
    let before = fixture.weights("fraud", "one").await.seq;
    rename(&fixture, "fraud", "risk").await.unwrap();
    let all = format!("AS OF {before}");
    assert_eq!(found(&fixture, &all).await, ["fraud@1.0.0"]);
    let by_name = format!("name = 'fraud' AS OF {before}");
    assert_eq!(found(&fixture, &by_name).await, ["fraud@1.0.0"]);
    assert!(
        found(&fixture, &format!("name = 'risk' AS OF {before}"))
            .await
            .is_empty()
    );
    let view = fixture.repo.view_at(before).await.unwrap();
    assert!(mainstay_registry::resolve(&view, &locator("risk")).is_err());
    assert_eq!(model_name(&view, &name("fraud")).unwrap().as_str(), "fraud");

    assert_eq!(found(&fixture, "").await, ["risk@1.0.0"]);
    assert_eq!(found(&fixture, "name = 'risk'").await, ["risk@1.0.0"]);
    assert_eq!(found(&fixture, "name LIKE 'ri%'").await, ["risk@1.0.0"]);
    assert!(found(&fixture, "name = 'fraud'").await.is_empty());
    assert!(found(&fixture, "name = 'no name/at all'").await.is_empty());
}

#[tokio::test]
async fn a_search_by_tag_knows_the_name_of_the_moment() {
    let fixture = Fixture::new().await;
    let tagged = |model: &str, weights: &str| spec(model, weights).with_tag("team", "risk");
    fixture.register(tagged("fraud", "one")).await;
    fixture.register(tagged("churn", "one")).await;
    rename(&fixture, "fraud", "abuse").await.unwrap();
    let query = "tags.team = 'risk' ORDER BY name";
    assert_eq!(found(&fixture, query).await, ["abuse@1.0.0", "churn@1.0.0"]);
    let query = "tags.team = 'risk' AND name = 'abuse'";
    assert_eq!(found(&fixture, query).await, ["abuse@1.0.0"]);
    assert!(
        found(&fixture, "tags.team = 'risk' AND name = 'fraud'")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_name_is_taken_once_and_given_back() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    fixture.weights("churn", "two").await;
    assert_eq!(
        refused(&fixture, "nobody", "somebody").await,
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(&fixture, "fraud", "churn").await,
        ErrorKind::AlreadyExists
    );
    let same = rename(&fixture, "fraud", "fraud").await.unwrap();
    assert_eq!(same.seq, None);
    assert!(
        rename(&fixture, "fraud", "risk")
            .await
            .unwrap()
            .seq
            .is_some()
    );
    let again = rename(&fixture, "fraud", "risk").await.unwrap();
    assert_eq!(again.seq, None);
    // Who believes that it is still called fraud is told.
    assert_eq!(
        refused(&fixture, "fraud", "other").await,
        ErrorKind::Conflict
    );
    // A policy waits for a model.
    let (planned, nobody) = (name("planned"), BTreeSet::new());
    let set = fixture.registry.set_stage_policy(
        &planned,
        StagePolicy::default().with_gate(
            name("staging"),
            Gate::AtMost {
                metric: "loss".into(),
                limit: 1.0,
            },
        ),
        ada(),
        &nobody,
        "ahead",
    );
    set.await.unwrap();
    assert_eq!(
        refused(&fixture, "risk", "planned").await,
        ErrorKind::AlreadyExists
    );
    rename(&fixture, "risk", "fraud").await.unwrap();
    assert_eq!(called(&fixture, "risk").await, "fraud");
    assert_eq!(
        find(&fixture, "fraud@1.0.0").await.unwrap(),
        "model:fraud@1.0.0"
    );
}

#[tokio::test]
async fn a_new_model_takes_a_name_that_is_free_and_no_number_that_was_known_by_it() {
    let fixture = Fixture::new().await;
    let pinned = fixture.weights("fraud", "one").await.node;
    fixture.weights("fraud", "two").await;
    let exists = fixture.registry.register(new_model("fraud", "new")).await;
    assert_eq!(exists.unwrap_err().kind(), ErrorKind::AlreadyExists);
    rename(&fixture, "fraud", "risk").await.unwrap();

    let registered = fixture.register(new_model("fraud", "new")).await;
    assert_eq!(registered.model, name("fraud"));
    assert_eq!(registered.node.to_string(), "model:fraud+2@2.0.0");
    assert_eq!(registered.ordinal, 1);
    assert_eq!(
        find(&fixture, "fraud").await.unwrap(),
        "model:fraud+2@2.0.0"
    );
    assert_eq!(find(&fixture, "risk").await.unwrap(), "model:fraud@1.1.0");
    // What the lineage says goes on to mean what it meant, and so does what it says of the new one.
    assert_eq!(
        find(&fixture, "fraud@1.0.0").await.unwrap(),
        pinned.to_string()
    );
    assert_eq!(called(&fixture, "fraud@1.0.0").await, "risk");
    assert_eq!(called(&fixture, "fraud@2.0.0").await, "fraud");
    assert_eq!(called(&fixture, "fraud+2@2.0.0").await, "fraud");

    // Both go on, and never meet.
    for weights in ["three", "four"] {
        fixture.weights("risk", weights).await;
        fixture.weights("fraud", weights).await;
    }
    let exact = Bump::Exact("2.0.0".parse().unwrap());
    let taken = spec("risk", "five").with_bump(exact);
    let taken = fixture.registry.register(taken).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    let exact = Bump::Exact("1.1.0".parse().unwrap());
    let taken = spec("fraud", "five").with_bump(exact);
    let taken = fixture.registry.register(taken).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    assert_eq!(
        found(&fixture, "ORDER BY name, ordinal").await,
        [
            "fraud@2.0.0",
            "fraud@2.1.0",
            "fraud@2.2.0",
            "risk@1.0.0",
            "risk@1.1.0",
            "risk@1.2.0",
            "risk@1.3.0"
        ]
    );
}

#[tokio::test]
async fn a_name_passes_from_model_to_model_where_no_number_would_mean_two_versions() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    fixture.weights("next", "one").await;
    rename(&fixture, "fraud", "retired").await.unwrap();
    assert_eq!(
        refused(&fixture, "next", "fraud").await,
        ErrorKind::Conflict
    );
    let exact = Bump::Exact("2.0.0".parse().unwrap());
    fixture
        .register(spec("other", "two").with_bump(exact))
        .await;
    rename(&fixture, "other", "fraud").await.unwrap();
    assert_eq!(find(&fixture, "fraud").await.unwrap(), "model:other@2.0.0");
    assert_eq!(
        find(&fixture, "fraud@1.0.0").await.unwrap(),
        "model:fraud@1.0.0"
    );
    assert_eq!(called(&fixture, "fraud@1.0.0").await, "retired");
    let view = fixture.repo.view().await.unwrap();
    assert_eq!(model_id(&view, &name("fraud")).unwrap(), name("other"));
    assert_eq!(model_name(&view, &name("fraud")).unwrap(), name("retired"));
    // A name that nothing is kept under passes on as it is.
    rename(&fixture, "retired", "gone").await.unwrap();
    let registered = fixture.register(new_model("retired", "new")).await;
    assert_eq!(registered.node.to_string(), "model:retired@2.0.0");
}

#[tokio::test]
async fn versions_registered_together_agree_on_what_is_new() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    rename(&fixture, "fraud", "risk").await.unwrap();
    let batch = vec![
        spec("risk", "two"),
        new_model("fraud", "three"),
        spec("fraud", "four"),
        new_model("fresh", "five"),
    ];
    let registered = fixture.registry.register_many(batch).await.unwrap();
    let nodes: Vec<String> = registered.iter().map(|one| one.node.to_string()).collect();
    assert_eq!(
        nodes,
        [
            "model:fraud@1.1.0",
            "model:fraud+2@2.0.0",
            "model:fraud+2@2.1.0",
            "model:fresh@1.0.0"
        ]
    );
    for twice in [
        vec![new_model("novel", "one"), new_model("novel", "two")],
        vec![spec("novel", "one"), new_model("novel", "two")],
    ] {
        let error = fixture.registry.register_many(twice).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
}

#[tokio::test]
async fn a_repeated_promotion_gets_its_answer_after_a_rename_too() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    let promote = PromoteSpec::new(locator("fraud"), name("staging"), ada(), "promote")
        .with_idempotency_key("deploy-7");
    let first = fixture.registry.promote(promote.clone()).await.unwrap();
    rename(&fixture, "fraud", "risk").await.unwrap();
    fixture.promote("risk", "development").await;
    assert_eq!(fixture.registry.promote(promote).await.unwrap(), first);
    assert_eq!(fixture.stage("risk").await, "development");
}

#[tokio::test]
async fn the_longest_name_has_an_id_beside_it() {
    let fixture = Fixture::new().await;
    let long: Name = "é".repeat(64).parse().unwrap();
    fixture.weights(long.as_str(), "one").await;
    fixture
        .registry
        .rename(&long, &name("short"), ada(), "rename")
        .await
        .unwrap();
    let registered = fixture.register(new_model(long.as_str(), "two")).await;
    assert_eq!(registered.model, long);
    let id = registered.node.name().as_str();
    assert!(id.ends_with("é+2") && id.len() <= 128, "{id}");
}
