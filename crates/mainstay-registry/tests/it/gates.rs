//! What a stage policy asks of a version and of people.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mainstay_core::{Actor, ErrorKind, Result, canon};
use mainstay_registry::signature::Signature;
use mainstay_registry::{
    AliasRule, AliasSpec, AnnotateSpec, ApproveSpec, Case, Gate, GateCheck, GateResult,
    PromoteReport, PromoteSpec, Promotion, Registry, StagePolicy, Verdict, approvals, overrulings,
};
use serde_json::json;

use crate::fixture::{Fixture, ada, check_golden_ref, file, locator, name, spec};

fn actor(text: &str) -> Actor {
    Actor::new(text).unwrap()
}

fn two_of_risk() -> Gate {
    serde_json::from_value(json!({"approvals": {"count": 2, "roles": ["risk"]}})).unwrap()
}

async fn with_policy(policy: StagePolicy) -> Fixture {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    fixture.weights("fraud", "two").await;
    set(&fixture, policy).await;
    fixture
}

async fn set(fixture: &Fixture, policy: StagePolicy) {
    let (model, roles) = (name("fraud"), BTreeSet::new());
    let set = fixture
        .registry
        .set_stage_policy(&model, policy, ada(), &roles, "careful");
    set.await.unwrap();
}

fn production(gate: Gate) -> StagePolicy {
    StagePolicy::default().with_gate(name("production"), gate)
}

fn promotion(version: &str) -> PromoteSpec {
    PromoteSpec::new(locator(version), name("production"), ada(), "ready")
}

fn approval(version: &str, who: &str) -> ApproveSpec {
    let spec = ApproveSpec::new(
        locator(version),
        name("production"),
        actor(who),
        "looks good",
    );
    spec.with_role(name("risk"))
}

async fn approve(fixture: &Fixture, version: &str, who: &str) {
    fixture
        .registry
        .approve(approval(version, who))
        .await
        .unwrap();
}

async fn promoted(registry: &Registry, spec: PromoteSpec) -> PromoteReport {
    match registry.promote(spec).await.unwrap() {
        Promotion::Promoted(report) => report,
        Promotion::Refused(refusal) => panic!("{:?}", refusal.gates),
    }
}

async fn refused(registry: &Registry, spec: PromoteSpec) -> Vec<GateResult> {
    match registry.promote(spec).await.unwrap() {
        Promotion::Promoted(report) => panic!("{:?}", report.gates),
        Promotion::Refused(refusal) => refusal.gates,
    }
}

#[tokio::test]
async fn two_people_who_did_not_register_it_approve_and_are_used_up() {
    let fixture = with_policy(production(two_of_risk())).await;
    let registry = &fixture.registry;
    fixture.promote("fraud@1.0.0", "staging").await;
    approve(&fixture, "fraud@1.0.0", "bob").await;
    // The same person twice is one person.
    approve(&fixture, "fraud@1.0.0", "bob").await;
    let gates = refused(registry, promotion("fraud@1.0.0")).await;
    assert_eq!(gates[0].why, "1 of 2 approved: bob");
    approve(&fixture, "fraud@1.0.0", "carol").await;
    // What approves another version does not approve this one.
    let report = promoted(registry, promotion("fraud@1.0.0")).await;
    assert_eq!(report.gates[0].approved_by, [actor("bob"), actor("carol")]);

    for stage in ["archived", "staging"] {
        fixture.promote("fraud@1.0.0", stage).await;
    }
    let gates = refused(registry, promotion("fraud@1.0.0")).await;
    assert_eq!(gates[0].why, "0 of 2 approved");
}

#[tokio::test]
async fn who_registered_it_or_lacks_the_role_does_not_approve() {
    let fixture = with_policy(production(two_of_risk())).await;
    let registry = &fixture.registry;
    let error = registry
        .approve(approval("fraud", "ada"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let mut without = approval("fraud", "bob");
    without.roles.clear();
    let error = registry.approve(without).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("2 approved by risk"), "{error}");
    let mut elsewhere = approval("fraud", "bob");
    elsewhere.stage = name("staging");
    let error = registry.approve(elsewhere).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let error = registry
        .approve(approval("fraud@9.0.0", "bob"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_approval_counts_under_its_policy_until_it_is_withdrawn_or_too_old() {
    let one: Gate =
        serde_json::from_value(json!({"approvals": {"count": 1, "valid_hours": 24}})).unwrap();
    let fixture = with_policy(production(one.clone())).await;
    let registry = &fixture.registry;
    fixture.promote("fraud@1.0.0", "staging").await;
    let why = async || {
        refused(registry, promotion("fraud@1.0.0")).await[0]
            .why
            .clone()
    };

    approve(&fixture, "fraud@1.0.0", "bob").await;
    fixture.clock.advance(Duration::from_hours(24));
    assert_eq!(why().await, "0 of 1 approved; 1 expired");

    approve(&fixture, "fraud@1.0.0", "bob").await;
    let tag = Gate::Tag {
        key: "card".into(),
        value: None,
    };
    set(
        &fixture,
        production(one.clone()).with_gate(name("production"), tag),
    )
    .await;
    assert_eq!(why().await, "0 of 1 approved");

    set(&fixture, production(one)).await;
    let (model, stage) = (locator("fraud@1.0.0"), name("production"));
    let withdrawn = registry
        .withdraw(&model, &stage, actor("bob"), "I was wrong")
        .await;
    assert_eq!(withdrawn.unwrap().approvals, []);
    assert_eq!(why().await, "0 of 1 approved");
    let again = registry
        .withdraw(&model, &stage, actor("bob"), "again")
        .await;
    assert_eq!(again.unwrap().seq, None);

    approve(&fixture, "fraud@1.0.0", "bob").await;
    fixture.clock.advance(Duration::from_hours(23));
    promoted(registry, promotion("fraud@1.0.0")).await;
}

#[tokio::test]
async fn a_broken_glass_is_seen_in_the_log_the_history_and_a_record() {
    let fixture = with_policy(production(two_of_risk())).await;
    let registry = &fixture.registry;
    fixture.promote("fraud@1.0.0", "staging").await;
    for why in ["", " ", "two\nlines", &"x".repeat(1_025)] {
        let error = registry
            .promote(promotion("fraud@1.0.0").overruling(why))
            .await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let report = promoted(registry, promotion("fraud@1.0.0").overruling("outage 17")).await;
    assert_eq!(report.overruled.as_deref(), Some("outage 17"));

    let history = registry.stage_history(&name("fraud"), None).await.unwrap();
    assert_eq!(history[0].overruled.as_deref(), Some("outage 17"));
    assert_eq!(history[0].reason, "GATES OVERRULED (outage 17): ready");
    assert_eq!(history[1].overruled, None);
    let view = fixture.repo.view().await.unwrap();
    let found = overrulings(&view, &name("fraud")).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].gates[0].why, "0 of 2 approved");

    // Nothing to overrule, nothing to tell.
    set(&fixture, StagePolicy::default()).await;
    fixture.promote("fraud@1.1.0", "staging").await;
    let report = promoted(registry, promotion("fraud@1.1.0").overruling("habit")).await;
    assert_eq!(report.overruled, None);
}

#[tokio::test]
async fn a_way_that_the_policy_does_not_know_is_not_overruled() {
    let fixture = with_policy(StagePolicy::default()).await;
    let direct = promotion("fraud@1.0.0").overruling("no time for staging");
    let error = fixture.registry.promote(direct).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_role_of_who_promotes_is_what_the_caller_says() {
    let gate = Gate::Role {
        any_of: [name("release"), name("admin")].into(),
    };
    let fixture = with_policy(production(gate)).await;
    let registry = &fixture.registry;
    fixture.promote("fraud@1.0.0", "staging").await;
    let gates = refused(registry, promotion("fraud@1.0.0")).await;
    assert_eq!(gates[0].why, "ada is not admin or release");
    promoted(
        registry,
        promotion("fraud@1.0.0").with_role(name("release")),
    )
    .await;
}

#[tokio::test]
async fn callers_of_the_holder_must_be_able_to_call_its_successor() {
    let signature = |columns: serde_json::Value| {
        Signature::from_json(&json!({"inputs": columns, "outputs": null, "params": null})).unwrap()
    };
    let column =
        |name: &str, required: bool| json!({"name": name, "type": "double", "required": required});
    let fixture = Fixture::new().await;
    for (weights, columns) in [
        ("one", json!([column("mass", true)])),
        ("two", json!([column("mass", true), column("age", true)])),
        ("three", json!([column("mass", true), column("age", false)])),
    ] {
        let spec = spec("fraud", weights).with_signature(signature(columns));
        fixture.register(spec).await;
    }
    set(
        &fixture,
        production(Gate::Compatible {
            strict_inputs: false,
        }),
    )
    .await;
    let registry = &fixture.registry;
    // Nobody holds the stage.
    fixture.produce("fraud@1.0.0").await;
    for (version, passes) in [("2.0.0", false), ("2.1.0", true)] {
        let version = format!("fraud@{version}");
        fixture.promote(&version, "staging").await;
        if passes {
            promoted(registry, promotion(&version)).await;
        } else {
            let gates = refused(registry, promotion(&version)).await;
            assert!(
                gates[0].why.contains("input.required_added"),
                "{}",
                gates[0].why
            );
        }
    }
}

#[tokio::test]
async fn a_document_is_a_file_that_is_not_empty() {
    let gate: Gate = serde_json::from_value(json!({"document": {"path": "CARD.md"}})).unwrap();
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    fixture
        .register(spec("fraud", "two").with_file(file("CARD.md", "")))
        .await;
    fixture
        .register(spec("fraud", "three").with_file(file("CARD.md", "# Fraud")))
        .await;
    set(&fixture, production(gate)).await;
    for (version, why) in [
        ("fraud@1.0.0", "there is no file CARD.md"),
        ("fraud@1.1.0", "CARD.md is empty"),
    ] {
        fixture.promote(version, "staging").await;
        assert_eq!(
            refused(&fixture.registry, promotion(version)).await[0].why,
            why
        );
    }
    fixture.produce("fraud@1.2.0").await;
}

/// Passes a version whose model has at most `most` tags, and counts how often it is asked.
#[derive(Debug, Default)]
struct FewTags(AtomicU64);

impl GateCheck for FewTags {
    fn check(&self, arguments: &BTreeMap<String, String>, case: &Case<'_>) -> Result<Verdict> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let most: usize = arguments["most"].parse().unwrap();
        let tags = case.candidate.tags.len();
        Ok(if tags <= most {
            Verdict::pass(format!("{tags} tags"))
        } else {
            Verdict::fail(format!("{tags} tags"))
        })
    }
}

#[tokio::test]
async fn a_check_of_ones_own_is_asked_and_a_program_without_it_does_not_pass() {
    let gate: Gate =
        serde_json::from_value(json!({"check": {"name": "few-tags", "arguments": {"most": "0"}}}))
            .unwrap();
    let fixture = with_policy(production(gate)).await;
    fixture.promote("fraud@1.0.0", "staging").await;
    let gates = refused(&fixture.registry, promotion("fraud@1.0.0")).await;
    assert_eq!(gates[0].why, "this program has no check few-tags");
    let check = Arc::new(FewTags::default());
    let registry = fixture
        .registry
        .clone()
        .with_check(name("few-tags"), Arc::clone(&check) as _);
    let report = promoted(&registry, promotion("fraud@1.0.0")).await;
    assert_eq!(
        (
            report.gates[0].why.as_str(),
            check.0.load(Ordering::Relaxed)
        ),
        ("0 tags", 1)
    );
}

/// Tags the version with which it is asked about, from another task, the first time.
#[derive(Debug)]
struct Meddler {
    check: FewTags,
    meddle: std::sync::Mutex<Option<std::sync::mpsc::Sender<()>>>,
    done: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl GateCheck for Meddler {
    fn check(&self, arguments: &BTreeMap<String, String>, case: &Case<'_>) -> Result<Verdict> {
        let verdict = self.check.check(arguments, case);
        if let Some(meddle) = self.meddle.lock().unwrap().take() {
            meddle.send(()).unwrap();
            self.done.lock().unwrap().recv().unwrap();
        }
        verdict
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gates_are_asked_again_when_another_commit_comes_first() {
    let gate: Gate =
        serde_json::from_value(json!({"check": {"name": "few-tags", "arguments": {"most": "0"}}}))
            .unwrap();
    let fixture = with_policy(production(gate)).await;
    fixture.promote("fraud@1.0.0", "staging").await;
    let ((meddle, asked), (tell, done)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let check = Arc::new(Meddler {
        check: FewTags::default(),
        meddle: Some(meddle).into(),
        done: done.into(),
    });
    // Another process: a handle of its own.
    let other = fixture.reopened().await;
    let runtime = tokio::runtime::Handle::current();
    let meddler = std::thread::spawn(move || {
        asked.recv().unwrap();
        let tag = AnnotateSpec::new(locator("fraud@1.0.0"), ada(), "meddle").with_tag("k", "v");
        runtime
            .block_on(Registry::new(other).annotate(tag))
            .unwrap();
        tell.send(()).unwrap();
    });
    let registry = fixture
        .registry
        .clone()
        .with_check(name("few-tags"), Arc::clone(&check) as _);
    let gates = refused(&registry, promotion("fraud@1.0.0")).await;
    meddler.join().unwrap();
    assert_eq!(gates[0].why, "1 tags");
    assert_eq!(check.check.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_key_promotes_once_whatever_happened_since() {
    let fixture = with_policy(StagePolicy::default()).await;
    let registry = &fixture.registry;
    for version in ["fraud@1.0.0", "fraud@1.1.0"] {
        fixture.promote(version, "staging").await;
    }
    let keyed = promotion("fraud@1.0.0")
        .with_metric("latency", 3.0)
        .with_idempotency_key("job 17");
    let first = promoted(registry, keyed.clone()).await;
    promoted(registry, promotion("fraud@1.1.0")).await;
    let head = fixture.repo.view().await.unwrap().seq();
    assert_eq!(promoted(registry, keyed.clone()).await, first);
    assert_eq!(fixture.find("fraud@production").await.unwrap(), "1.1.0");
    assert_eq!(fixture.repo.view().await.unwrap().seq(), head);
    let other = keyed.with_metric("latency", 4.0);
    let error = registry.promote(other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_protected_alias_asks_for_a_role_and_a_stage() {
    let rule = AliasRule::new([name("release")], [name("production")]);
    let fixture = with_policy(StagePolicy::default().with_alias(name("champion"), rule)).await;
    let registry = &fixture.registry;
    let alias = || AliasSpec::new(locator("fraud@1.0.0"), name("champion"), ada(), "alias");
    let release = || alias().with_role(name("release"));
    let error = registry.set_alias(alias()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let error = registry.set_alias(release()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    fixture.produce("fraud@1.0.0").await;
    registry.set_alias(release()).await.unwrap();
    let (model, champion) = (name("fraud"), name("champion"));
    let roles = BTreeSet::new();
    let error = registry
        .remove_alias(&model, &champion, ada(), &roles, "gone")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let roles = [name("release")].into();
    registry
        .remove_alias(&model, &champion, ada(), &roles, "gone")
        .await
        .unwrap();
    // Others are free.
    fixture.alias("fraud@1.1.0", "challenger").await;
}

#[tokio::test]
async fn what_approves_a_version_goes_with_it() {
    let fixture = with_policy(production(two_of_risk())).await;
    approve(&fixture, "fraud@1.0.0", "bob").await;
    let before = fixture.repo.view().await.unwrap();
    assert_eq!(
        approvals(&before, &locator("fraud@1.0.0")).unwrap().len(),
        1
    );
    let first = locator("fraud@1.0.0");
    let deleted = fixture.registry.delete(&first, ada(), "gone");
    deleted.await.unwrap();
    let path = "model/fraud/approval/1.0.0".parse().unwrap();
    let view = fixture.repo.view().await.unwrap();
    assert!(view.get(&path).unwrap().is_none());
}

/// Reads a fixture; writes it when there is none yet.
fn golden(file: &str, stored: &str) -> String {
    let folder = [
        env!("CARGO_MANIFEST_DIR"),
        "../../tests/golden/model-approval/v1",
        file,
    ];
    let path: PathBuf = folder.iter().collect();
    if !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{stored}\n")).unwrap();
    }
    std::fs::read_to_string(path).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn every_record_is_stored_as_the_first_release_stored_it() {
    let policy = StagePolicy::from_json(
        &serde_json::to_vec(&json!({
            "stages": [{"name": "lab"}, {"name": "live", "exclusive": true}, {"name": "gone"}],
            "initial": "lab",
            "retired": "gone",
            "transitions": {"lab": ["live"]},
            "gates": {"live": [
                {"approvals": {"count": 1, "roles": ["risk"], "valid_hours": 48}},
                {"approvals": {"count": 1, "author": true}},
                {"role": {"any_of": ["release"]}},
                {"compatible": {"strict_inputs": true}},
                {"document": {"path": "docs/card.md"}},
                {"check": {"name": "drift", "arguments": {"role": "train"}}},
            ]},
            "aliases": {"champion": {"movers": ["release"], "stages": ["live"]}},
        }))
        .unwrap(),
    )
    .unwrap();
    let fixture = with_policy(policy).await;
    for who in ["bob", "carol"] {
        let mut spec = approval("fraud@1.0.0", who);
        spec.stage = name("live");
        fixture.registry.approve(spec).await.unwrap();
    }
    let view = fixture.repo.view().await.unwrap();
    let mut stored = vec![("approval/1.0.0", "approval.json", view)];
    let mut spec = promotion("fraud@1.0.0")
        .overruling("outage")
        .with_idempotency_key("key");
    spec.to = name("live");
    promoted(&fixture.registry, spec).await;
    let after = fixture.repo.view().await.unwrap();
    let key = format!("promotion/{}", mainstay_core::Digest::of(b"key").to_hex());
    stored.push(("policy/stages", "policy.json", after.clone()));
    stored.push(("status/1.0.0", "status.json", after.clone()));
    stored.push(("overruled/1.0.0", "overruled.json", after.clone()));
    stored.push((&key, "promotion.json", after));
    for (path, file, view) in stored {
        let path = format!("model/fraud/{path}").parse().unwrap();
        let value = view.get(&path).unwrap().unwrap().value.as_ref().unwrap();
        let stored = String::from_utf8(canon::to_vec(value).unwrap()).unwrap();
        assert_eq!(stored, golden(file, &stored), "{file}");
    }
}

#[tokio::test]
async fn a_policy_that_an_older_mainstay_has_words_for_stays_readable_to_it() {
    let fixture = with_policy(production(two_of_risk())).await;
    let format = async || {
        let view = fixture.repo.view().await.unwrap();
        StagePolicy::of(&view, &name("fraud")).unwrap().format
    };
    assert_eq!(format().await, 2);
    let tag = Gate::Tag {
        key: "card".into(),
        value: None,
    };
    set(&fixture, production(tag)).await;
    assert_eq!(format().await, 1);
}

#[tokio::test]
async fn a_policy_says_who_may_set_another() {
    let fixture = Fixture::new().await;
    fixture.weights("fraud", "one").await;
    let registry = &fixture.registry;
    let set = async |policy: StagePolicy, roles: &[&str]| {
        let roles = roles.iter().copied().map(name).collect();
        let model = name("fraud");
        let set = registry.set_stage_policy(&model, policy, ada(), &roles, "govern");
        set.await
    };
    let governed = StagePolicy::default().with_setter(name("risk"));
    assert!(set(governed.clone(), &[]).await.unwrap().is_some());
    // Setting what is set asks for nothing, as it changes nothing.
    assert_eq!(set(governed.clone(), &[]).await.unwrap(), None);
    for roles in [&[][..], &["release"]] {
        let error = set(StagePolicy::default(), roles).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("risk"), "{error}");
    }
    let read = fixture
        .repo
        .read(|view| StagePolicy::of(view, &name("fraud")));
    let stored = read.await.unwrap();
    assert_eq!((stored.format, &stored.setters), (3, &governed.setters));
    check_golden_ref(
        &fixture,
        "model/fraud/policy/stages",
        "model-approval/v1/policy-setters.json",
    )
    .await;
    let opened = set(StagePolicy::default(), &["release", "risk"]).await;
    assert!(opened.unwrap().is_some());
    assert!(
        set(StagePolicy::default().with_setter(name("a")), &[])
            .await
            .is_ok()
    );
}
