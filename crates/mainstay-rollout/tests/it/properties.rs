//! Random commands and observations against a model that is a stack of units.

use std::collections::BTreeMap;

use mainstay_core::{Locator, NodeRef, RefPath};
use mainstay_repo::View;
use mainstay_rollout::{Action, Phase, Rollouts, Status, UnitSpec, Units};
use proptest::prelude::*;

use crate::workshop::{
    ALIAS, LABEL, Workshop, actor, broken, full_unit, healthy, name, node, path, plan, pointers,
    prod, window,
};

#[derive(Debug, Clone)]
enum Op {
    Put(usize),
    Start(usize),
    Healthy,
    Broken,
    NoData,
    Pause,
    Resume,
    Promote,
    Rollback,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        1 => (0_usize..4).prop_map(Op::Put),
        4 => (0_usize..4).prop_map(Op::Start),
        5 => Just(Op::Healthy),
        1 => Just(Op::Broken),
        1 => Just(Op::NoData),
        1 => Just(Op::Pause),
        1 => Just(Op::Resume),
        1 => Just(Op::Promote),
        2 => Just(Op::Rollback),
    ]
}

/// What should serve: the units that got everything, each with the pointers as they were before.
#[derive(Default)]
struct Model {
    served: Vec<(NodeRef, BTreeMap<RefPath, NodeRef>)>,
}

impl Model {
    /// Takes in what a verb did, and checks that nothing else happened.
    fn step(&mut self, before: &View, after: &View, op: &Op) {
        assert!(after.seq() <= before.seq() + 1, "more than one log entry");
        let read = |view| Rollouts::status(view, &prod()).ok();
        let (was, is) = (read(before), read(after));
        let Some(is) = is else {
            assert!(was.is_none() && after.seq() == before.seq());
            return;
        };
        let old = was.as_ref().map(|status| &status.unit);
        if old == Some(&is.unit) {
            assert_eq!(pointers(after), pointers(before), "{op:?} moved pointers");
        } else if self.is_rollback(old, &is) {
            let (_, restored) = self.served.pop().unwrap();
            assert_eq!(pointers(after), restored, "not restored exactly");
        } else {
            self.served.push((is.unit.clone(), pointers(before)));
        }
        let top = self.served.last().map(|(unit, _)| unit);
        assert_eq!(top, Some(&is.unit), "{op:?}");
        check_view(after, &is);
        check_share(was.as_ref(), &is);
    }

    /// Reports whether the channel went back from its topmost unit to the one before.
    fn is_rollback(&self, old: Option<&NodeRef>, is: &Status) -> bool {
        let [.., (below, _), (top, _)] = &self.served[..] else {
            return false;
        };
        is.state == Phase::RolledBack && old == Some(top) && *below == is.unit
    }
}

fn check_view(view: &View, status: &Status) {
    assert_ne!(status.candidate, baseline(view, &status.rollout));
    if status.state.is_live() {
        assert_eq!(status.unit, baseline(view, &status.rollout));
    }
    let live = view
        .below("rollout/prod/state")
        .unwrap()
        .filter(|(_, state)| {
            let phase = &state.value.as_ref().unwrap().record["state"];
            phase == "running" || phase == "paused"
        })
        .count();
    assert!(live <= 1, "{live} rollouts at once");
    assert_eq!(live == 1, status.state.is_live());

    let unit = Units::find(view, &status.unit.clone().into()).unwrap();
    let served: BTreeMap<_, _> = pointers(view)
        .into_iter()
        .filter(|(path, _)| path.is_below("channel/prod/component"))
        .map(|(path, node)| (name(path.segments().next_back().unwrap()), node))
        .collect();
    assert_eq!(served, unit.components);
    for (slot, pointer) in [("prompt", LABEL), ("model", ALIAS)] {
        if let Some(component) = unit.components.get(&name(slot)) {
            assert_eq!(pointers(view).get(&path(pointer)), Some(component));
        }
    }
}

fn check_share(was: Option<&Status>, is: &Status) {
    assert_eq!(is.weights.control + is.weights.canary, 10_000);
    let same = was.filter(|was| was.rollout == is.rollout);
    if let Some(was) = same
        && is.state != Phase::RolledBack
    {
        assert!(is.weights.canary >= was.weights.canary);
    }
}

/// Reads the baseline a rollout recorded; another node when it has none.
fn baseline(view: &View, rollout: &NodeRef) -> NodeRef {
    let record = &view
        .get(&rollout.ref_path())
        .unwrap()
        .unwrap()
        .value
        .as_ref()
        .unwrap()
        .record;
    match record["baseline"].as_str() {
        Some(text) => node(text),
        None => node("unit:nothing@0"),
    }
}

async fn units(workshop: &Workshop) -> Vec<Locator> {
    let bare = UnitSpec::new(name("bare")).with_component(name("model"), node("model:fraud@3"));
    let custom = full_unit(4).with_component(name("reranker"), node("model:fraud@1"));
    let mut locators = Vec::new();
    for spec in [full_unit(1), full_unit(2), bare, custom] {
        let created = workshop.units.create(spec, actor(), "built").await.unwrap();
        locators.push(created.node.into());
    }
    locators
}

async fn play(workshop: &Workshop, units: &[Locator], op: &Op) {
    let (rollouts, prod, why) = (&workshop.rollouts, prod(), "because");
    let observe = |window| async move {
        let decision = rollouts
            .observe(&crate::workshop::prod(), &window, actor())
            .await;
        decision.map(|decision| assert_ne!(decision.action, Action::Late))
    };
    let result = match op {
        Op::Put(unit) => rollouts
            .put(&prod, &units[*unit], actor(), why)
            .await
            .map(drop),
        Op::Start(unit) => rollouts
            .start(&prod, &units[*unit], &plan(), actor(), why)
            .await
            .map(drop),
        Op::Healthy => observe(healthy()).await,
        Op::Broken => observe(broken()).await,
        Op::NoData => observe(window((100, 0), (0, 0))).await,
        Op::Pause => rollouts.pause(&prod, actor(), why).await.map(drop),
        Op::Resume => rollouts.resume(&prod, actor(), why).await.map(drop),
        Op::Promote => rollouts.promote(&prod, actor(), why).await.map(drop),
        Op::Rollback => rollouts.rollback(&prod, actor(), why).await.map(drop),
    };
    // Refused verbs are part of the game; what they must not do is checked by the caller.
    drop(result);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_the_way_back_is_exact(ops in proptest::collection::vec(any_op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let workshop = Workshop::new().await;
            let units = units(&workshop).await;
            workshop.follow().await;
            let mut model = Model::default();
            for op in &ops {
                let before = workshop.view().await;
                play(&workshop, &units, op).await;
                model.step(&before, &workshop.view().await, op);
            }
        });
    }
}
