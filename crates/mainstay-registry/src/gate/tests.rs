use std::collections::BTreeSet;
use std::sync::Arc;

use mainstay_core::{Actor, Timestamp};
use mainstay_repo::{Repo, RepoOptions, View};
use mainstay_store::MemoryStorage;

use super::*;
use crate::check::{Case, Checks};
use crate::{FileSpec, ModelInfo, ModelSpec, Registry};

/// A version with the tag `review=passed` and these metrics.
async fn version(metrics: &[(&str, f64)]) -> (ModelInfo, View) {
    let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default())
        .await
        .unwrap();
    let registry = Registry::new(repo.clone());
    let file = FileSpec::from_bytes("model.bin".parse().unwrap(), "weights");
    let mut spec = ModelSpec::new("m".parse().unwrap(), Actor::new("ada").unwrap(), "test")
        .with_file(file)
        .with_tag("review", "passed");
    for (name, value) in metrics {
        spec = spec.with_metric(*name, *value);
    }
    registry.register(spec).await.unwrap();
    let info = registry.show(&"m".parse().unwrap()).await.unwrap();
    (ModelInfo::clone(&info), repo.view().await.unwrap())
}

fn check(gate: &Gate, candidate: &[(&str, f64)], incumbent: Option<&[(&str, f64)]>, passed: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (candidate, view) = runtime.block_on(version(candidate));
    let incumbent = incumbent.map(|metrics| runtime.block_on(version(metrics)).0);
    let case = Case {
        candidate: &candidate,
        incumbent: incumbent.as_ref(),
        to: &"production".parse().unwrap(),
        actor: &Actor::new("ada").unwrap(),
        roles: &BTreeSet::new(),
        view: &view,
        now: Timestamp::UNIX_EPOCH,
        approvals: &[],
    };
    let result = gate.evaluate(&case, &Checks::default()).unwrap();
    assert_eq!(result.passed, passed, "{gate}: {}", result.why);
}

#[test]
fn a_limit_is_part_of_what_passes_and_nan_or_nothing_never_does() {
    let gate = Gate::AtLeast {
        metric: "auc".into(),
        limit: 0.9,
    };
    check(&gate, &[("auc", 0.9)], None, true);
    check(&gate, &[("auc", 0.89)], None, false);
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        check(&gate, &[("auc", odd)], None, false);
    }
    check(&gate, &[("loss", 1.0)], None, false);
}

#[test]
fn not_worse_compares_with_the_holder_and_passes_without_one() {
    let loss = |tolerance| Gate::NotWorse {
        metric: "loss".into(),
        better: Better::Lower,
        tolerance,
    };
    check(&loss(0.0), &[("loss", 0.3)], Some(&[("loss", 0.3)]), true);
    check(&loss(0.0), &[("loss", 0.4)], Some(&[("loss", 0.3)]), false);
    check(&loss(0.2), &[("loss", 0.4)], Some(&[("loss", 0.3)]), true);
    check(&loss(0.0), &[("loss", 9.0)], None, true);
    check(&loss(0.0), &[("loss", 0.1)], Some(&[]), false);
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        check(&loss(0.0), &[("loss", odd)], None, false);
        check(&loss(0.0), &[("loss", odd)], Some(&[("loss", 0.3)]), false);
        check(&loss(0.0), &[("loss", 0.3)], Some(&[("loss", odd)]), true);
        check(&loss(0.0), &[("loss", odd)], Some(&[("loss", odd)]), false);
    }
}

#[test]
fn a_tag_must_be_there_and_have_the_value_if_one_is_asked_for() {
    let tag = |key: &str, value: Option<&str>| Gate::Tag {
        key: key.into(),
        value: value.map(Into::into),
    };
    check(&tag("review", None), &[], None, true);
    check(&tag("review", Some("passed")), &[], None, true);
    check(&tag("review", Some("failed")), &[], None, false);
    check(&tag("approved", None), &[], None, false);
}

#[test]
fn limits_without_meaning_are_refused() {
    let gate = Gate::AtMost {
        metric: "loss".into(),
        limit: f64::NAN,
    };
    assert!(gate.check().is_err());
    let gate = Gate::NotWorse {
        metric: "loss".into(),
        better: Better::Lower,
        tolerance: -1.0,
    };
    assert!(gate.check().is_err());
}

#[test]
fn a_gate_that_nothing_could_pass_is_refused() {
    let none = Gate::Role {
        any_of: BTreeSet::new(),
    };
    assert!(none.check().is_err());
    for count in [0, 17] {
        let gate = Gate::Approvals {
            count,
            roles: BTreeSet::new(),
            author: false,
            valid_hours: None,
        };
        assert!(gate.check().is_err(), "{count}");
    }
}
