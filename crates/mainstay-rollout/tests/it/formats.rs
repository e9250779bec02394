//! The records as they are stored, against the recorded ones.

use std::path::PathBuf;

use mainstay_core::{ErrorKind, RefPath, canon};
use mainstay_experiment::Guardrail;
use mainstay_repo::{Expectation, Transaction, Value};
use mainstay_rollout::{GuardrailSpec, OnFail, Phase, Rollouts, Units};
use proptest::prelude::*;

use crate::workshop::{
    LABEL, Workshop, actor, broken, full_unit, healthy, name, node, path, plan, prod, window,
};

/// The refs whose records are recorded, and their files.
const RECORDED: [(&str, &str); 6] = [
    ("unit/support/version/1", "unit.json"),
    ("channel/prod/config", "config.json"),
    ("rollout/prod/version/2", "spec.json"),
    ("rollout/prod/state/2", "state.json"),
    ("rollout/prod/state/3", "state-completed.json"),
    ("rollout/prod/state/4", "state-rolled-back.json"),
];

fn golden(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/rollout/v1")
        .join(file)
}

/// Writes one of each record: a rollout stopped in its second step, a unit put at once, and a
/// rollout rolled back.
async fn scripted() -> Workshop {
    let workshop = Workshop::new().await;
    let mut config = serde_json::Map::new();
    config.insert("timeout_ms".into(), 250.into());
    let one = full_unit(1).with_config(config);
    let one = workshop
        .units
        .create(one, actor(), "built")
        .await
        .unwrap()
        .node
        .into();
    let (two, three) = (workshop.unit(2).await, workshop.unit(3).await);
    workshop.follow().await;
    workshop.put(&one).await;
    let ratio = Guardrail::sample_ratio(0.001, 100).unwrap();
    let mut guardrails = plan().guardrails;
    guardrails.push(GuardrailSpec::new(name("traffic"), ratio, OnFail::Hold));
    let plan = plan().with_guardrails(guardrails);
    workshop
        .rollouts
        .start(&prod(), &two, &plan, actor(), "start")
        .await
        .unwrap();
    let first = window((5_400, 54), (600, 6))
        .with_id(name("web-1"), 7)
        .unwrap();
    workshop.observe(&first).await;
    workshop.observe(&window((40, 1), (41, 0))).await;
    workshop.put(&three).await;
    let four = workshop.unit(4).await;
    workshop.start(&four).await;
    workshop
        .observe(&broken().with_id(name("web-2"), 1).unwrap())
        .await;
    workshop
}

#[tokio::test]
async fn records_are_written_as_recorded() {
    let workshop = scripted().await;
    let view = workshop.view().await;
    for (path, file) in RECORDED {
        let stored = view.get(&path.parse().unwrap()).unwrap().unwrap();
        let bytes = canon::to_vec(stored.value.as_ref().unwrap()).unwrap();
        let recorded = std::fs::read(golden(file)).unwrap_or_default();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            String::from_utf8(recorded).unwrap().trim_end(),
            "{file}"
        );
    }
}

#[tokio::test]
async fn recorded_records_are_read() {
    let workshop = Workshop::new().await;
    let mut transaction = Transaction::new(actor(), "recorded");
    for (path, file) in RECORDED {
        let value: Value = serde_json::from_slice(&std::fs::read(golden(file)).unwrap()).unwrap();
        transaction.set(path.parse().unwrap(), value, Expectation::Absent);
    }
    let current = Value::pointer(&node("unit:support@1"));
    transaction.set(path("channel/prod/current"), current, Expectation::Absent);
    // The later states are there without their specs, so only the second is a rollout.
    workshop.commit(transaction).await;
    let view = workshop.view().await;
    let unit = Units::find(&view, &"support@1".parse().unwrap()).unwrap();
    assert_eq!(
        (unit.components.len(), &unit.config["timeout_ms"]),
        (4, &250.into())
    );
    let config = Rollouts::config(&view, &prod()).unwrap();
    assert_eq!(config.follows[&path(LABEL)], name("prompt"));
    let status = Rollouts::status(&view, &prod()).unwrap();
    assert_eq!((status.state, status.step), (Phase::Superseded, 1));
    assert_eq!(status.guardrails[0].report.n, 641);
}

#[tokio::test]
async fn records_of_a_newer_mainstay_are_refused_by_name() {
    let workshop = scripted().await;
    for (path, _) in RECORDED {
        let path: RefPath = path.parse().unwrap();
        let view = workshop.view().await;
        let mut value = view.get(&path).unwrap().unwrap().value.clone().unwrap();
        let old = value.clone();
        value.record["format"] = 2.into();
        overwrite(&workshop, &path, value).await;
        let view = workshop.view().await;
        let errors = [
            Units::find(&view, &"support@1".parse().unwrap()).err(),
            Rollouts::config(&view, &prod()).err(),
            Rollouts::status(&view, &prod()).err(),
            Rollouts::plan_rollback(&view, &prod(), "x").err(),
        ];
        // A rollout that is neither the newest nor served is not read at all.
        if !path.as_str().ends_with('2') {
            let error = errors.into_iter().flatten().next().unwrap();
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{path}");
        }
        overwrite(&workshop, &path, old).await;
    }
}

async fn overwrite(workshop: &Workshop, path: &RefPath, value: Value) {
    let mut transaction = Transaction::new(actor(), "test");
    transaction.set(path.clone(), value, Expectation::Any);
    workshop.commit(transaction).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Replaces one member of a record by something else and reads everything.
    #[test]
    fn damaged_records_are_refused_without_panic(
        which in 0_usize..6,
        member in 0_usize..16,
        junk in prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(serde_json::Value::from),
            ".{0,12}".prop_map(serde_json::Value::from),
            proptest::collection::vec(any::<u16>(), 0..4).prop_map(serde_json::Value::from),
        ],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let workshop = scripted().await;
            let path: RefPath = RECORDED[which].0.parse().unwrap();
            let mut value = workshop.view().await.get(&path).unwrap().unwrap().value.clone().unwrap();
            let members = value.record.as_object_mut().unwrap();
            let key = members.keys().nth(member % members.len()).unwrap().clone();
            members.insert(key, junk);
            overwrite(&workshop, &path, value).await;
            let view = workshop.view().await;
            drop(Units::find(&view, &"support@1".parse().unwrap()));
            drop(Rollouts::config(&view, &prod()));
            drop(Rollouts::status(&view, &prod()));
            drop(Rollouts::router(&view, &prod()));
            drop(workshop.rollouts.observe(&prod(), &healthy(), actor()).await);
            drop(workshop.rollouts.rollback(&prod(), actor(), "x").await);
        });
    }
}
