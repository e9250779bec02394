//! Which log entries a change tells of, and how few are read to find them.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::TryStreamExt as _;
use mainstay_core::{EdgeKind, NodeKind, NodeRef};
use mainstay_lineage::change::{Change, Describers, MAX_EVENTS, changed, changed_within};
use mainstay_repo::{LogEntry, RefChange, Repo, RepoOptions};
use mainstay_store::{MemoryStorage, MeterStorage};
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{Fixture, node};

async fn compare(fixture: &Fixture, a: &str, b: &str) -> Change {
    let (view, none) = (fixture.view().await, Describers::new());
    changed(&fixture.repo, &view, &node(a), &node(b), &none)
        .await
        .unwrap()
}

fn reasons(change: &Change) -> Vec<&str> {
    let events = change.events.iter();
    events.map(|event| event.reason.as_str()).collect()
}

#[tokio::test]
async fn promotion_and_rollout_of_the_later_one_are_told_and_its_successors_are_not() {
    let fixture = Fixture::penguins().await;
    let add = |version, edges| fixture.add(version, json!({}), edges);
    add(
        "rollout:prod@2",
        &["deploys candidate unit:penguins@2"] as &[_],
    )
    .await;
    fixture
        .point("channel/prod/current", "unit:penguins@2")
        .await;
    add("deployment:checkout@1", &["deploys - model:species@1.1.0"]).await;
    add("model:species@1.2.0", &["used train data:penguins@2"]).await;
    add("unit:penguins@3", &["contains model model:species@1.2.0"]).await;
    fixture
        .point("model/species/stage/production", "model:species@1.2.0")
        .await;
    fixture
        .point("channel/prod/current", "unit:penguins@1")
        .await;
    fixture.delete("model:species@1.1.0").await;
    let change = compare(&fixture, "unit:penguins@1", "unit:penguins@2").await;
    let told = reasons(&change);
    let made = told.iter().position(|told| *told == "add unit:penguins@2");
    assert_eq!(
        told[made.unwrap() + 1..],
        [
            "point model/species/stage/production",
            "add rollout:prod@2",
            "point channel/prod/current",
            "point channel/prod/current",
            "delete model:species@1.1.0",
        ]
    );
}

#[tokio::test]
async fn entries_of_others_are_not_read_however_many_there_are() {
    let meter = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let fixture = Fixture::on(Arc::clone(&meter) as _).await;
    let add = |version: String, edges: Vec<&'static str>| {
        let fixture = &fixture;
        async move { fixture.add(&version, json!({}), &edges).await }
    };
    let mut cost = Vec::new();
    for generation in 1..=3 {
        add(format!("model:m@{generation}"), vec!["used - data:base@1"]).await;
        fixture
            .point("channel/prod/current", &format!("model:m@{generation}"))
            .await;
        for n in 0..generation * 100 {
            add(format!("data:other@{generation}{n:03}"), vec![]).await;
        }
        if generation > 1 {
            let (a, b) = (generation - 1, generation);
            let before = meter.reading();
            let change = compare(&fixture, &format!("model:m@{a}"), &format!("model:m@{b}")).await;
            assert_eq!(change.events.len(), 3, "{:?}", reasons(&change));
            cost.push((meter.reading() - before).requests());
        }
    }
    // The head is looked for, and each of the three is read.
    assert_eq!(cost, [4, 4]);
}

#[tokio::test]
async fn no_more_are_read_than_are_listed() {
    let meter = Arc::new(MeterStorage::new(MemoryStorage::new()));
    let fixture = Fixture::on(Arc::clone(&meter) as _).await;
    for version in ["model:m@1", "model:m@2"] {
        fixture.add(version, json!({}), &[]).await;
    }
    for _ in 0..MAX_EVENTS + 20 {
        fixture.point("channel/prod/current", "model:m@2").await;
    }
    let before = meter.reading();
    let change = compare(&fixture, "model:m@1", "model:m@2").await;
    assert_eq!(change.events.len(), MAX_EVENTS);
    assert!(change.events_omitted > 0);
    assert_eq!(
        change.events.last().unwrap().seq,
        fixture.view().await.seq()
    );
    let read = (meter.reading() - before).requests();
    assert!(read < MAX_EVENTS as u64 + 40, "{read}");
}

/// What a step of a random history does, with a choice of the thing it does it to.
#[derive(Debug, Clone, Copy)]
enum Step {
    Data,
    Model,
    Unit,
    Rollout,
    Deployment,
    Other,
    Channel,
    Alias,
    Delete,
}

fn any_step() -> impl Strategy<Value = (Step, u8)> {
    use Step::{Alias, Channel, Data, Delete, Deployment, Model, Other, Rollout, Unit};
    let kinds = [
        Data, Model, Unit, Unit, Rollout, Deployment, Other, Channel, Channel, Alias, Delete,
    ];
    (proptest::sample::select(kinds.to_vec()), 0_u8..8)
}

struct History {
    fixture: Fixture,
    versions: Vec<String>,
}

impl History {
    fn pick(&self, kind: &str, choice: u8) -> Option<&str> {
        let of = self.versions.iter().filter(|at| at.starts_with(kind));
        let of: Vec<&String> = of.collect();
        let choice = usize::from(choice).checked_rem(of.len())?;
        of.get(choice).map(|text| text.as_str())
    }

    async fn play(&mut self, step: Step, choice: u8) {
        let edges = |wanted: &[(&str, &str)]| -> Option<Vec<String>> {
            let edge =
                |(how, kind): &(&str, &str)| Some(format!("{how} - {}", self.pick(kind, choice)?));
            wanted.iter().map(edge).collect()
        };
        let name = choice % 2;
        let added = match step {
            Step::Data => Some((format!("data:d{name}"), Some(Vec::new()))),
            Step::Model => Some((format!("model:m{name}"), edges(&[("used", "data")]))),
            Step::Unit => {
                let parts = [("contains", "model"), ("contains", "data")];
                Some((format!("unit:u{name}"), edges(&parts)))
            }
            Step::Rollout => Some((format!("rollout:c{name}"), edges(&[("deploys", "unit")]))),
            Step::Deployment => Some(("deployment:s".into(), edges(&[("deploys", "model")]))),
            Step::Other => Some((format!("prompt:p{name}"), Some(Vec::new()))),
            Step::Channel => {
                if let Some(unit) = self.pick("unit", choice) {
                    let channel = format!("channel/c{name}/current");
                    self.fixture.point(&channel, unit).await;
                }
                None
            }
            Step::Alias => {
                if let Some(model) = self.pick("model:m0", choice) {
                    self.fixture.point("model/m0/alias/a", model).await;
                }
                None
            }
            Step::Delete => {
                if let Some(version) = self.pick("", choice) {
                    let version = version.to_owned();
                    self.fixture.delete(&version).await;
                    self.versions.retain(|kept| *kept != version);
                }
                None
            }
        };
        if let Some((name, Some(edges))) = added {
            let version = format!("{name}@{}", self.fixture.view().await.seq() + 1);
            let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
            self.fixture.add(&version, json!({}), &edges).await;
            self.versions.push(version);
        }
    }
}

/// The entries that concern a change, by reading all of them.
async fn expected(repo: &Repo, change: &Change, (after, upto): (u64, u64), made: u64) -> Vec<u64> {
    let parts = change.components.iter();
    let parts = parts.flat_map(|part| part.a.iter().chain(&part.b));
    let nodes: BTreeSet<NodeRef> = parts.chain([&change.a, &change.b]).cloned().collect();
    let touches = |change: &RefChange| {
        let value = change.value.as_ref();
        let version = NodeRef::from_ref_path(&change.path);
        let named = value.is_some_and(|value| {
            value.pointee().is_some_and(|node| nodes.contains(&node))
                || value.edges.iter().any(|edge| {
                    let is_rollout = edge.kind == EdgeKind::Deploys
                        && version.as_ref().map(NodeRef::kind) == Some(NodeKind::Rollout);
                    nodes.contains(&edge.to) && (change.seq <= made || is_rollout)
                })
        });
        let is_own = nodes.iter().any(|node| {
            let prefix = format!("{}/{}", node.kind(), node.name());
            change.path.is_below(&prefix)
        });
        named
            || (is_own && change.seq <= made)
            || version.is_some_and(|version| nodes.contains(&version))
    };
    let entries: Vec<LogEntry> = repo.entries(after).try_collect().await.unwrap();
    let told = entries.iter().filter(|entry| entry.seq <= upto);
    let told = told.filter(|entry| entry.changes.iter().any(touches));
    told.map(|entry| entry.seq).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        if std::env::var_os("MAINSTAY_LONG").is_some() { 2_000 } else { 48 }
    ))]

    #[test]
    fn the_events_are_those_that_reading_the_whole_log_finds(
        steps in proptest::collection::vec(any_step(), 10..60),
        every in 2_u64..20,
        (from, to) in (0_u8..8, 0_u8..8),
        cut in 0_u64..60,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = RepoOptions::default().with_checkpoint_every(every);
            let fixture = Fixture::with(Arc::new(MemoryStorage::new()), options).await;
            let mut history = History { fixture, versions: Vec::new() };
            for (step, choice) in steps {
                history.play(step, choice).await;
            }
            history.fixture.repo.settle().await;
            let (Some(a), Some(b)) = (history.pick("unit", from), history.pick("unit", to)) else {
                return;
            };
            let repo = &history.fixture.repo;
            let change = compare(&history.fixture, a, b).await;
            let view = history.fixture.view().await;
            let made = |version| view.state(&node(version).ref_path()).unwrap().unwrap().seq;
            let (first, last) = (made(a).min(made(b)), made(a).max(made(b)));
            let upto = if a == b { last } else { view.seq() };
            let told = |change: &Change| -> Vec<u64> { change.events.iter().map(|e| e.seq).collect() };
            assert_eq!(told(&change), expected(repo, &change, (first, upto), last).await);
            assert_eq!(change.events_omitted, 0);

            let span = (cut.min(view.seq()) / 2, cut.min(view.seq()));
            let ends = (&node(a), &node(b));
            let change = changed_within(repo, &view, ends, span, &Describers::new()).await.unwrap();
            assert_eq!(told(&change), expected(repo, &change, span, span.1).await);
        });
    }
}
