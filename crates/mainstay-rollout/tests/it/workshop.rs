//! A repository with things to deploy.

use std::collections::BTreeMap;
use std::sync::Arc;

use mainstay_core::{Actor, Locator, Name, NodeRef, RefPath, SeededIds, Timestamp};
use mainstay_experiment::Outcomes;
use mainstay_repo::{CommitOutcome, Expectation, Repo, RepoOptions, Transaction, Value, View};
use mainstay_rollout::{
    ChannelConfig, Decision, RolloutPlan, Rollouts, Status, UnitSpec, Units, Window,
};
use mainstay_store::{MemoryStorage, NoWait, Storage};

pub(crate) const LABEL: &str = "prompt/support/label/production";
pub(crate) const ALIAS: &str = "model/fraud/alias/champion";

/// A repository with models, prompts, data and environments, and a channel `prod` to serve them.
pub(crate) struct Workshop {
    pub(crate) repo: Repo,
    pub(crate) units: Units,
    pub(crate) rollouts: Rollouts,
}

impl Workshop {
    pub(crate) async fn new() -> Self {
        Self::on(Arc::new(MemoryStorage::new())).await
    }

    pub(crate) async fn on(storage: Arc<dyn Storage>) -> Self {
        let workshop = Self::opened(storage, 1).await;
        let mut transaction = Transaction::new(actor(), "stock");
        for thing in [
            "model:fraud",
            "prompt:support",
            "data:tickets",
            "env:server",
        ] {
            for version in 1..=4 {
                let node: NodeRef = format!("{thing}@{version}").parse().unwrap();
                let value = Value::new("thing", &version).unwrap();
                transaction.set(node.ref_path(), value, Expectation::Absent);
            }
        }
        workshop.commit(transaction).await;
        workshop
    }

    pub(crate) async fn opened(storage: Arc<dyn Storage>, seed: u64) -> Self {
        let options = RepoOptions::default()
            .with_ids(Arc::new(SeededIds::new(seed)))
            .with_timer(Arc::new(NoWait::default()));
        let repo = Repo::create(storage, options).await.unwrap();
        Self {
            units: Units::new(repo.clone()),
            rollouts: Rollouts::new(repo.clone()),
            repo,
        }
    }

    pub(crate) async fn commit(&self, transaction: Transaction) {
        let outcome = self.repo.commit(transaction).await.unwrap();
        assert!(
            matches!(outcome, CommitOutcome::Committed(_)),
            "{outcome:?}"
        );
    }

    /// Creates version `n` of unit `support`, of version `n` of everything.
    pub(crate) async fn unit(&self, n: u32) -> Locator {
        let spec = full_unit(n);
        let created = self.units.create(spec, actor(), "built").await.unwrap();
        created.node.into()
    }

    /// Makes a label and an alias follow `prod`.
    pub(crate) async fn follow(&self) {
        let config = ChannelConfig::default()
            .with_follow(name("prompt"), path(LABEL))
            .with_follow(name("model"), path(ALIAS));
        self.rollouts
            .configure(&prod(), &config, actor(), "follow")
            .await
            .unwrap();
    }

    pub(crate) async fn put(&self, unit: &Locator) -> Status {
        self.rollouts
            .put(&prod(), unit, actor(), "put")
            .await
            .unwrap()
    }

    pub(crate) async fn start(&self, unit: &Locator) -> Status {
        self.rollouts
            .start(&prod(), unit, &plan(), actor(), "start")
            .await
            .unwrap()
    }

    pub(crate) async fn observe(&self, window: &Window) -> Decision {
        self.rollouts
            .observe(&prod(), window, actor())
            .await
            .unwrap()
    }

    pub(crate) async fn view(&self) -> View {
        self.repo.view().await.unwrap()
    }

    pub(crate) async fn status(&self) -> Status {
        Rollouts::status(&self.view().await, &prod()).unwrap()
    }
}

pub(crate) fn full_unit(n: u32) -> UnitSpec {
    let mut spec = UnitSpec::new(name("support"));
    for (slot, thing) in [
        ("model", "model:fraud"),
        ("prompt", "prompt:support"),
        ("data", "data:tickets"),
        ("env", "env:server"),
    ] {
        spec = spec.with_component(name(slot), format!("{thing}@{n}").parse().unwrap());
    }
    spec
}

/// 10 %, then 50 %, with 100 requests an arm in each.
pub(crate) fn plan() -> RolloutPlan {
    RolloutPlan::default()
        .with_steps([1_000, 5_000, 10_000])
        .with_min_requests_per_step(100)
}

pub(crate) fn window(control: (u64, u64), canary: (u64, u64)) -> Window {
    let outcomes = |(requests, failures)| Outcomes::new(requests, failures).unwrap();
    Window::new(outcomes(control), outcomes(canary), Timestamp::UNIX_EPOCH)
}

/// Enough healthy requests to pass a step.
pub(crate) fn healthy() -> Window {
    window((5_000, 50), (600, 6))
}

/// Enough failures to roll back.
pub(crate) fn broken() -> Window {
    window((900, 9), (100, 30))
}

/// Everything the pointers of a repository point to.
pub(crate) fn pointers(view: &View) -> BTreeMap<RefPath, NodeRef> {
    view.below("")
        .unwrap()
        .filter_map(|(path, state)| Some((path.clone(), state.value.as_ref()?.pointee()?)))
        .collect()
}

pub(crate) fn pointee(view: &View, pointer: &str) -> Option<String> {
    pointers(view).get(&path(pointer)).map(NodeRef::to_string)
}

pub(crate) fn actor() -> Actor {
    Actor::new("tester").unwrap()
}

pub(crate) fn prod() -> Name {
    name("prod")
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn path(text: &str) -> RefPath {
    text.parse().unwrap()
}

pub(crate) fn node(text: &str) -> NodeRef {
    text.parse().unwrap()
}
