use std::sync::Arc;
use std::time::Duration;

use mainstay_core::{Actor, Edge, EdgeKind, ManualClock, NodeRef, SeededIds, Timestamp};
use mainstay_lineage::{Direction, Graph, WalkOptions};
use mainstay_repo::{
    CommitOutcome, Expectation, Repo, RepoOptions, Step, Transaction, Value, View,
};
use mainstay_store::{MemoryStorage, NoWait, Storage};
use serde_json::json;

pub(crate) struct Fixture {
    pub(crate) repo: Repo,
    clock: Arc<ManualClock>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::on(Arc::new(MemoryStorage::new())).await
    }

    pub(crate) async fn on(storage: Arc<dyn Storage>) -> Self {
        Self::with(storage, RepoOptions::default()).await
    }

    pub(crate) async fn with(storage: Arc<dyn Storage>, options: RepoOptions) -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let options = options
            .with_clock(Arc::clone(&clock) as _)
            .with_ids(Arc::new(SeededIds::new(7)))
            .with_timer(Arc::new(NoWait::default()));
        let repo = Repo::create(storage, options).await.unwrap();
        Self { repo, clock }
    }

    pub(crate) async fn commit(
        &self,
        reason: &str,
        change: impl Fn(&mut Transaction) + Send + Sync,
    ) {
        self.clock.advance(Duration::from_mins(1));
        let build = |_: &View| {
            let mut transaction = Transaction::new(Actor::new("ada").unwrap(), reason);
            change(&mut transaction);
            Ok(Step::Commit(transaction, ()))
        };
        self.repo.transact(build).await.unwrap();
    }

    /// Records a version; an edge is written `kind role reference`, with `-` for no role.
    pub(crate) async fn add(&self, version: &str, record: serde_json::Value, edges: &[&str]) {
        let edges: Vec<Edge> = edges.iter().map(|text| edge(text)).collect();
        let value = Value::new("note", &record).unwrap().with_edges(edges);
        let path = node(version).ref_path();
        self.commit(&format!("add {version}"), |transaction| {
            transaction.set(path.clone(), value.clone(), Expectation::Any);
        })
        .await;
    }

    /// Records a version in the name of somebody.
    pub(crate) async fn add_as(&self, actor: &str, version: &str) {
        let mut transaction = Transaction::new(Actor::new(actor).unwrap(), "add");
        let value = Value::new("note", &version).unwrap();
        transaction.set(node(version).ref_path(), value, Expectation::Absent);
        let outcome = self.repo.commit(transaction).await.unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed(_)));
    }

    pub(crate) async fn point(&self, name: &str, version: &str) {
        self.commit(&format!("point {name}"), |transaction| {
            let value = Value::pointer(&node(version));
            transaction.set(name.parse().unwrap(), value, Expectation::Any);
        })
        .await;
    }

    pub(crate) async fn delete(&self, version: &str) {
        self.commit(&format!("delete {version}"), |transaction| {
            transaction.delete(node(version).ref_path(), Expectation::Any);
        })
        .await;
    }

    pub(crate) async fn view(&self) -> View {
        self.repo.view().await.unwrap()
    }

    pub(crate) async fn near(
        &self,
        start: &str,
        directions: &[Direction],
        options: &WalkOptions,
    ) -> Graph {
        let view = self.view().await;
        Graph::near(&self.repo, &view, &node(start), directions, options)
            .await
            .unwrap()
    }

    /// Two units of penguins: the second has more data, a model trained on it, and another prompt.
    pub(crate) async fn penguins() -> Self {
        let fixture = Self::new().await;
        let add = |version, record, edges| fixture.add(version, record, edges);
        add("env:lab@1", json!({"python": "3.11"}), &[]).await;
        add(
            "data:penguins@1",
            json!({"rows": 226, "mean_mass": 4201.0}),
            &[],
        )
        .await;
        add("prompt:explain@1", json!({"text": "Explain."}), &[]).await;
        add(
            "model:species@1.0.0",
            json!({"accuracy": 0.97}),
            &[
                "used train data:penguins@1",
                "used code code:training@aaa111",
                "used env env:lab@1",
            ],
        )
        .await;
        add(
            "unit:penguins@1",
            json!({}),
            &[
                "contains model model:species@1.0.0",
                "contains prompt prompt:explain@1",
                "contains data data:penguins@1",
                "contains env env:lab@1",
            ],
        )
        .await;
        fixture
            .point("channel/prod/current", "unit:penguins@1")
            .await;
        add("data:unrelated@1", json!({}), &[]).await;
        add(
            "data:penguins@2",
            json!({"rows": 344, "mean_mass": 1402.5}),
            &[],
        )
        .await;
        add("prompt:explain@2", json!({"text": "Explain briefly."}), &[]).await;
        add(
            "model:species@1.1.0",
            json!({"accuracy": 0.61}),
            &[
                "used train data:penguins@2",
                "used code code:training@bbb222",
                "used env env:lab@1",
                "derived_from continue model:species@1.0.0",
                "evaluated_on heldout data:heldout@1",
            ],
        )
        .await;
        add(
            "unit:penguins@2",
            json!({}),
            &[
                "contains model model:species@1.1.0",
                "contains prompt prompt:explain@2",
                "contains data data:penguins@2",
                "contains env env:lab@1",
            ],
        )
        .await;
        fixture
            .point("model/species/stage/production", "model:species@1.1.0")
            .await;
        fixture
    }
}

pub(crate) fn node(text: &str) -> NodeRef {
    text.parse().unwrap()
}

pub(crate) fn edge(text: &str) -> Edge {
    let mut words = text.split(' ');
    let kind = words.next().unwrap();
    let kind: EdgeKind = serde_json::from_value(json!(kind)).unwrap();
    let role = words.next().unwrap();
    let edge = Edge::new(kind, node(words.next().unwrap()));
    match role {
        "-" => edge,
        role => edge.with_role(role.parse().unwrap()),
    }
}
