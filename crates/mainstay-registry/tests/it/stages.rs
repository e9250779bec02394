use std::collections::BTreeSet;

use mainstay_core::ErrorKind;
use mainstay_registry::{
    AnnotateSpec, Better, Expect, Gate, PromoteSpec, Promotion, RollbackSpec, Stage, StagePolicy,
    stage_holder,
};
use proptest::prelude::*;
use semver::Version;

use crate::fixture::{Fixture, ada, locator, name, node, spec};

async fn two_versions() -> Fixture {
    let fixture = Fixture::new().await;
    fixture
        .register(spec("fraud", "one").with_metric("auc", 0.90))
        .await;
    fixture
        .register(spec("fraud", "two").with_metric("auc", 0.93))
        .await;
    fixture
}

fn promotion(version: &str, to: &str) -> PromoteSpec {
    PromoteSpec::new(locator(version), name(to), ada(), "because")
}

fn rollback() -> RollbackSpec {
    RollbackSpec::new(name("fraud"), name("production"), ada(), "it is bad")
}

#[tokio::test]
async fn promoting_retires_the_holder_in_the_same_entry() {
    let fixture = two_versions().await;
    fixture.produce("fraud@1.0.0").await;
    fixture.promote("fraud@1.1.0", "staging").await;
    let Promotion::Promoted(report) = fixture.promote("fraud@1.1.0", "production").await else {
        panic!("refused");
    };
    assert_eq!(report.displaced, Some(node("model:fraud@1.0.0")));
    assert_eq!(
        (report.from, report.to),
        (name("staging"), name("production"))
    );
    assert_eq!(fixture.stage("fraud@1.0.0").await, "archived");
    assert_eq!(fixture.stage("fraud@1.1.0").await, "production");
    let view = fixture.repo.view().await.unwrap();
    assert_eq!(Some(view.seq()), report.seq);
    let holder = stage_holder(&view, &name("fraud"), &name("production")).unwrap();
    assert_eq!(holder, Some(node("model:fraud@1.1.0")));
}

#[tokio::test]
async fn promoting_again_changes_nothing_whatever_is_expected() {
    let fixture = two_versions().await;
    fixture.produce("fraud@1.0.0").await;
    let before = fixture.repo.view().await.unwrap().seq();
    let again = promotion("fraud@1.0.0", "production").with_incumbent(Expect::Nothing);
    let Promotion::Promoted(report) = fixture.registry.promote(again).await.unwrap() else {
        panic!("refused");
    };
    assert_eq!((report.seq, report.displaced), (None, None));
    assert_eq!(fixture.repo.view().await.unwrap().seq(), before);
}

#[tokio::test]
async fn a_way_that_the_policy_does_not_know_is_refused_with_those_it_knows() {
    let fixture = two_versions().await;
    let error = fixture
        .registry
        .promote(promotion("fraud@1.0.0", "production"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("archived, staging"), "{error}");
    let error = fixture
        .registry
        .promote(promotion("fraud@1.0.0", "prodution"))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("one of development, staging, production"),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_belief_about_the_holder_is_a_conflict() {
    let fixture = two_versions().await;
    fixture.produce("fraud@1.0.0").await;
    fixture.promote("fraud@1.1.0", "staging").await;
    for belief in [Expect::Nothing, Expect::Version(Version::new(9, 0, 0))] {
        let spec = promotion("fraud@1.1.0", "production").with_incumbent(belief);
        let error = fixture.registry.promote(spec).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("model:fraud@1.0.0"), "{error}");
    }
    let right = Expect::Version(Version::new(1, 0, 0));
    let spec = promotion("fraud@1.1.0", "production").with_incumbent(right);
    assert!(fixture.registry.promote(spec).await.is_ok());
    let shared = promotion("fraud@1.1.0", "staging").with_incumbent(Expect::Nothing);
    let error = fixture.registry.promote(shared).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_gate_that_says_no_is_a_value_and_nothing_changes() {
    let fixture = two_versions().await;
    let better = Gate::NotWorse {
        metric: "auc".into(),
        better: Better::Higher,
        tolerance: 0.0,
    };
    let policy = StagePolicy::default().with_gate(name("production"), better);
    fixture
        .registry
        .set_stage_policy(
            &name("fraud"),
            policy,
            ada(),
            &BTreeSet::new(),
            "be careful",
        )
        .await
        .unwrap();
    // The better one first: the other is then worse than the holder.
    fixture.produce("fraud@1.1.0").await;
    fixture.promote("fraud@1.0.0", "staging").await;
    let before = fixture.repo.view().await.unwrap().seq();
    let Promotion::Refused(refusal) = fixture.promote("fraud@1.0.0", "production").await else {
        panic!("promoted");
    };
    assert!(!refusal.gates[0].passed);
    assert_eq!(refusal.gates[0].why, "auc is 0.9; the holder's is 0.93");
    assert_eq!(fixture.repo.view().await.unwrap().seq(), before);

    // Measured anew for this promotion, and with the review that a gate of the call asks for.
    let tag = Gate::Tag {
        key: "review".into(),
        value: Some("passed".into()),
    };
    let again = promotion("fraud@1.0.0", "production")
        .with_metric("auc", 0.95)
        .with_gate(tag);
    let Promotion::Refused(refusal) = fixture.registry.promote(again.clone()).await.unwrap() else {
        panic!("promoted without review");
    };
    let passed: Vec<bool> = refusal.gates.iter().map(|gate| gate.passed).collect();
    assert_eq!(passed, [true, false]);
    let annotate = AnnotateSpec::new(locator("fraud@1.0.0"), ada(), "reviewed");
    let annotate = annotate.with_tag("review", "passed");
    fixture.registry.annotate(annotate).await.unwrap();
    let promoted = fixture.registry.promote(again).await.unwrap();
    assert!(matches!(promoted, Promotion::Promoted(_)));
    let info = fixture
        .registry
        .show(&locator("fraud@production"))
        .await
        .unwrap();
    assert!((info.metrics["auc"].value() - 0.95).abs() < 1e-12);
}

#[tokio::test]
async fn rolling_back_twice_goes_back_two_versions_and_the_way_forward_is_forgotten() {
    let fixture = Fixture::new().await;
    for (weights, version) in [("one", "1.0.0"), ("two", "1.1.0"), ("three", "1.2.0")] {
        fixture.weights("fraud", weights).await;
        fixture.produce(&format!("fraud@{version}")).await;
    }
    let report = fixture.registry.rollback(rollback()).await.unwrap();
    assert_eq!(report.from, Some(node("model:fraud@1.2.0")));
    assert_eq!(report.to, node("model:fraud@1.1.0"));
    assert_eq!(fixture.stage("fraud@1.2.0").await, "archived");
    let report = fixture.registry.rollback(rollback()).await.unwrap();
    assert_eq!(report.to, node("model:fraud@1.0.0"));
    let error = fixture.registry.rollback(rollback()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(fixture.stage("fraud@production").await, "production");
    assert_eq!(fixture.find("fraud@production").await.unwrap(), "1.0.0");
}

#[tokio::test]
async fn rolling_back_an_empty_stage_brings_its_last_holder_back() {
    let fixture = two_versions().await;
    fixture.produce("fraud@1.0.0").await;
    fixture.promote("fraud@1.0.0", "archived").await;
    assert_eq!(fixture.find("fraud@production").await, None);
    let report = fixture.registry.rollback(rollback()).await.unwrap();
    assert_eq!((report.from, report.to), (None, node("model:fraud@1.0.0")));
    let wrong = rollback().with_incumbent(Expect::Nothing);
    let error = fixture.registry.rollback(wrong).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let mut shared = rollback();
    shared.stage = name("staging");
    let error = fixture.registry.rollback(shared).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn the_history_tells_who_moved_what_where_and_why() {
    let fixture = two_versions().await;
    fixture.produce("fraud@1.0.0").await;
    fixture.produce("fraud@1.1.0").await;
    fixture.registry.rollback(rollback()).await.unwrap();
    let production = name("production");
    let history = fixture
        .registry
        .stage_history(&name("fraud"), Some(&production))
        .await
        .unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|change| {
            let version = change.model.version();
            format!(
                "{version} {} -> {} ({})",
                change.from, change.to, change.reason
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "1.0.0 archived -> production (it is bad)",
            "1.1.0 production -> archived (it is bad)",
            "1.0.0 production -> archived (promote)",
            "1.1.0 staging -> production (promote)",
            "1.0.0 staging -> production (promote)",
        ]
    );
    assert!(history.iter().all(|change| change.actor == ada()));
    let all = fixture
        .registry
        .stage_history(&name("fraud"), None)
        .await
        .unwrap();
    assert_eq!(all.len(), 7);
}

#[tokio::test]
async fn what_was_in_production_can_be_asked_of_any_moment() {
    let fixture = two_versions().await;
    fixture.produce("fraud@1.0.0").await;
    let then = fixture.repo.view().await.unwrap();
    fixture.produce("fraud@1.1.0").await;
    let view = fixture.repo.view_at(then.seq()).await.unwrap();
    let was = mainstay_registry::resolve(&view, &locator("fraud@production")).unwrap();
    assert_eq!(was, node("model:fraud@1.0.0"));
}

#[tokio::test]
async fn a_policy_of_ones_own_brings_its_own_stages() {
    let fixture = two_versions().await;
    let policy = StagePolicy::new(
        vec![
            Stage::shared(name("lab")),
            Stage::exclusive(name("eu")),
            Stage::exclusive(name("us")),
            Stage::shared(name("gone")),
        ],
        name("lab"),
        name("gone"),
    )
    .with_transition(name("lab"), name("eu"))
    .with_transition(name("eu"), name("us"))
    .with_transition(name("gone"), name("eu"));
    let set = |policy| {
        let registry = fixture.registry.clone();
        async move {
            registry
                .set_stage_policy(&name("fraud"), policy, ada(), &BTreeSet::new(), "regions")
                .await
        }
    };
    assert!(set(policy.clone()).await.unwrap().is_some());
    assert_eq!(set(policy.clone()).await.unwrap(), None);
    assert_eq!(fixture.stage("fraud@1.0.0").await, "lab");
    fixture.promote("fraud@1.0.0", "eu").await;
    // Leaving one exclusive stage for another frees the first.
    fixture.promote("fraud@1.0.0", "us").await;
    assert_eq!(fixture.find("fraud@eu").await, None);
    fixture.promote("fraud@1.1.0", "eu").await;
    assert_eq!(fixture.find("fraud@us").await.unwrap(), "1.0.0");
    assert_eq!(fixture.find("fraud@eu").await.unwrap(), "1.1.0");
    // The default policy has no stage eu.
    let error = set(StagePolicy::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("eu"), "{error}");
}

#[tokio::test]
async fn making_a_stage_exclusive_gives_it_its_one_holder_or_is_refused() {
    let fixture = two_versions().await;
    fixture.promote("fraud@1.0.0", "staging").await;
    let mut policy = StagePolicy::default();
    policy.stages[1].exclusive = true;
    fixture.promote("fraud@1.1.0", "staging").await;
    let error = fixture
        .registry
        .set_stage_policy(
            &name("fraud"),
            policy.clone(),
            ada(),
            &BTreeSet::new(),
            "one at a time",
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    fixture.promote("fraud@1.1.0", "development").await;
    fixture
        .registry
        .set_stage_policy(
            &name("fraud"),
            policy,
            ada(),
            &BTreeSet::new(),
            "one at a time",
        )
        .await
        .unwrap();
    let view = fixture.repo.view().await.unwrap();
    let holder = stage_holder(&view, &name("fraud"), &name("staging")).unwrap();
    assert_eq!(holder, Some(node("model:fraud@1.0.0")));
}

#[tokio::test]
async fn a_policy_that_contradicts_itself_is_refused() {
    let fixture = two_versions().await;
    fixture.alias("fraud@1.0.0", "champion").await;
    let standard = || StagePolicy::default();
    let mut cases = Vec::new();
    let mut policy = standard();
    policy.initial = name("production");
    cases.push(policy);
    let mut policy = standard();
    policy.retired = name("nowhere");
    cases.push(policy);
    let mut policy = standard();
    policy.stages.push(Stage::shared(name("staging")));
    cases.push(policy);
    let mut policy = standard();
    policy.stages.push(Stage::shared(name("1.0.0")));
    cases.push(policy);
    let mut policy = standard();
    policy.stages.push(Stage::shared(name("champion")));
    cases.push(policy);
    cases.push(standard().with_transition(name("staging"), name("nowhere")));
    let gate = Gate::AtLeast {
        metric: "auc".into(),
        limit: f64::INFINITY,
    };
    cases.push(standard().with_gate(name("production"), gate));
    for policy in cases {
        let error = fixture
            .registry
            .set_stage_policy(
                &name("fraud"),
                policy.clone(),
                ada(),
                &BTreeSet::new(),
                "wrong",
            )
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{policy:?}");
    }
}

#[tokio::test]
async fn racing_promotions_leave_one_holder() {
    let fixture = Fixture::new().await;
    for number in 0..8 {
        let registered = fixture.weights("fraud", &format!("weights {number}")).await;
        let spec = PromoteSpec::new(registered.node.into(), name("staging"), ada(), "test");
        fixture.registry.promote(spec).await.unwrap();
    }
    let tasks: Vec<_> = (0..8)
        .map(|minor| {
            let registry = fixture.registry.clone();
            let spec = promotion(&format!("fraud@1.{minor}.0"), "production");
            tokio::spawn(async move { registry.promote(spec).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert!(matches!(task.await.unwrap(), Promotion::Promoted(_)));
    }
    let page = fixture
        .registry
        .search(
            "stage = 'production'",
            &mainstay_registry::search::Page::default(),
        )
        .await
        .unwrap();
    assert_eq!(page.results.len(), 1);
    let holder = fixture.find("fraud@production").await.unwrap();
    assert_eq!(page.results[0].version.to_string(), holder);
}

#[derive(Debug, Clone)]
enum Act {
    Promote(usize, usize),
    Rollback,
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..3_usize, 0..4_usize).prop_map(|(version, stage)| Act::Promote(version, stage)),
        1 => Just(Act::Rollback),
    ]
}

const STAGES: [&str; 4] = ["development", "staging", "production", "archived"];
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "1.2.0"];

/// The stages as plain words: what every version is in, and who held production before.
#[derive(Default)]
struct Model {
    stages: [usize; 3],
    past: Vec<usize>,
}

impl Model {
    fn allowed(from: usize, to: usize) -> bool {
        matches!((from, to), (0 | 2, 1 | 3) | (1, 0 | 2 | 3) | (3, 0 | 1))
    }

    fn enter(&mut self, version: usize, to: usize) {
        if to == 2 {
            if let Some(holder) = self.stages.iter().position(|stage| *stage == 2) {
                self.stages[holder] = 3;
            }
            match self.past.iter().position(|past| *past == version) {
                Some(at) => self.past.truncate(at + 1),
                None => self.past.push(version),
            }
        }
        self.stages[version] = to;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_sequence_of_moves_agrees_with_the_model(
        acts in proptest::collection::vec(any_act(), 1..24)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            for weights in VERSIONS {
                fixture.weights("fraud", weights).await;
            }
            let mut model = Model::default();
            for act in acts {
                match act {
                    Act::Promote(version, to) => {
                        let spec = promotion(&format!("fraud@{}", VERSIONS[version]), STAGES[to]);
                        let from = model.stages[version];
                        let done = fixture.registry.promote(spec).await;
                        assert_eq!(done.is_ok(), from == to || Model::allowed(from, to));
                        if done.is_ok() && from != to {
                            model.enter(version, to);
                        }
                    }
                    Act::Rollback => {
                        let holder = model.stages.iter().position(|stage| *stage == 2);
                        let back = model.past.iter().copied().rfind(|past| Some(*past) != holder);
                        let done = fixture.registry.rollback(rollback()).await;
                        assert_eq!(done.is_ok(), back.is_some());
                        if let Some(back) = back {
                            model.enter(back, 2);
                        }
                    }
                }
                for (version, stage) in VERSIONS.iter().zip(model.stages) {
                    assert_eq!(fixture.stage(&format!("fraud@{version}")).await, STAGES[stage]);
                }
                let holder = model.stages.iter().position(|stage| *stage == 2);
                let found = fixture.find("fraud@production").await;
                assert_eq!(found.as_deref(), holder.map(|holder| VERSIONS[holder]));
            }
        });
    }
}
