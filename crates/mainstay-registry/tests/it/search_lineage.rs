//! Searches by lineage, against a walk over the edges as they were stated.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::{ErrorKind, NodeRef};
use mainstay_registry::run::RunSpec;
use mainstay_registry::search::Page;
use mainstay_registry::serving::HeartbeatSpec;
use mainstay_registry::{ModelSpec, Relation};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::fixture::{Fixture, ada, name, node, spec};

type Edges = BTreeMap<NodeRef, BTreeSet<NodeRef>>;

/// What each version says that it came from, and the fixture that has them.
async fn family() -> (Fixture, Edges, BTreeSet<NodeRef>) {
    let fixture = Fixture::new().await;
    let (mut edges, mut tagged) = (Edges::new(), BTreeSet::new());
    let data: Vec<NodeRef> = ["data:d@1", "data:d@2", "data:e@1"].map(node).to_vec();
    for data in &data {
        fixture.record(&data.to_string(), json!({"rows": 1})).await;
    }
    let run = RunSpec::new(name("training"), fixture.now(), ada(), "start");
    let run = run.with_input(name("train"), data[2].clone());
    let run = fixture.runs().start(run).await.unwrap().run;
    edges.insert(run.clone(), BTreeSet::from([data[2].clone()]));
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut models: Vec<NodeRef> = Vec::new();
    for number in 0..16 {
        let mut model: ModelSpec = spec(["m", "n"][number % 2], &format!("weights {number}"));
        let mut from = BTreeSet::new();
        if random.random_bool(0.3) {
            let used = &data[random.random_range(0..data.len())];
            model = model.with_data(name("train"), used.clone());
            from.insert(used.clone());
        }
        if random.random_bool(0.2) {
            model = model.with_run(run.clone());
            from.insert(run.clone());
        }
        for _ in 0..random.random_range(0..3) {
            if models.is_empty() {
                continue;
            }
            let parent = &models[random.random_range(0..models.len())];
            model = model.with_parent(parent.clone(), Relation::FineTune);
            from.insert(parent.clone());
        }
        if number % 5 == 0 {
            model = model.with_tag("t", "a");
        }
        let registered = fixture.register(model).await.node;
        if number % 5 == 0 {
            tagged.insert(registered.clone());
        }
        edges.insert(registered.clone(), from);
        models.push(registered);
    }
    (fixture, edges, tagged)
}

/// What lies above some things, by at most so many edges.
fn above(edges: &Edges, starts: &BTreeSet<NodeRef>, within: usize) -> BTreeSet<NodeRef> {
    let (mut reached, mut level) = (BTreeSet::new(), starts.clone());
    for _ in 0..within {
        let next = level.iter().filter_map(|node| edges.get(node)).flatten();
        level = next.cloned().collect();
        reached.extend(level.iter().cloned());
    }
    reached
}

/// The models from which one of `of` is reached.
fn below(edges: &Edges, of: &BTreeSet<NodeRef>, within: usize) -> BTreeSet<NodeRef> {
    let reaches = |model: &&NodeRef| {
        let start = BTreeSet::from([(*model).clone()]);
        !above(edges, &start, within).is_disjoint(of)
    };
    edges.keys().filter(reaches).cloned().collect()
}

fn shown(nodes: impl IntoIterator<Item = NodeRef>) -> BTreeSet<String> {
    let models = nodes
        .into_iter()
        .filter(|node| node.kind() == mainstay_core::NodeKind::Model);
    models
        .map(|node| format!("{}@{}", node.name(), node.version()))
        .collect()
}

async fn found(fixture: &Fixture, query: &str) -> BTreeSet<String> {
    let page = fixture.registry.search(query, &Page::default()).await;
    let hits = page.unwrap_or_else(|error| panic!("{query}: {error}"));
    let id = |hit: &mainstay_registry::search::SearchHit| format!("{}@{}", hit.model, hit.version);
    hits.results.iter().map(id).collect()
}

const FAR: usize = 64;

#[tokio::test]
async fn what_is_up_and_down_from_anything_is_what_the_edges_say() {
    let (fixture, edges, _) = family().await;
    let above_all = above(&edges, &edges.keys().cloned().collect(), FAR);
    let all: BTreeSet<NodeRef> = edges.keys().cloned().chain(above_all).collect();
    for of in all {
        for within in [1, 2, 3, FAR] {
            let limit = if within == FAR {
                String::new()
            } else {
                format!("WITHIN {within} ")
            };
            let one = BTreeSet::from([of.clone()]);
            let query = format!("EXISTS UPSTREAM {limit}OF '{of}'");
            let expected = shown(above(&edges, &one, within));
            assert_eq!(found(&fixture, &query).await, expected, "{query}");
            let query = format!("exists downstream {limit}of '{of}'");
            let expected = shown(below(&edges, &one, within));
            assert_eq!(found(&fixture, &query).await, expected, "{query}");
        }
    }
}

#[tokio::test]
async fn what_came_from_something_that_meets_a_filter_is_what_the_edges_say() {
    let (fixture, edges, tagged) = family().await;
    let nodes = |texts: &[&str]| texts.iter().map(|text| node(text)).collect::<BTreeSet<_>>();
    let models = || {
        edges
            .keys()
            .filter(|node| node.kind() == mainstay_core::NodeKind::Model)
    };
    let of_m: BTreeSet<NodeRef> = models()
        .filter(|m| m.name().as_str() == "m")
        .cloned()
        .collect();
    let runs: BTreeSet<NodeRef> = edges
        .keys()
        .filter(|node| node.kind() == mainstay_core::NodeKind::Run)
        .cloned()
        .collect();
    for (what, of) in [
        ("data", nodes(&["data:d@1", "data:d@2", "data:e@1"])),
        ("data WHERE name = 'd'", nodes(&["data:d@1", "data:d@2"])),
        (
            "data WHERE name = 'd' AND version = '2'",
            nodes(&["data:d@2"]),
        ),
        (
            "data WHERE name LIKE '_' AND NOT version = '1'",
            nodes(&["data:d@2"]),
        ),
        ("data WHERE created < '2020-01-01T00:00:00Z'", nodes(&[])),
        ("run", runs.clone()),
        ("run WHERE EXISTS DOWNSTREAM OF 'data:e@1'", runs),
        ("model WHERE tags.t = 'a'", tagged.clone()),
        ("model WHERE name = 'm'", of_m),
        (
            "model WHERE EXISTS UPSTREAM HAS model WHERE tags.t = 'a'",
            below(&edges, &tagged, FAR),
        ),
        ("deployment", nodes(&[])),
    ] {
        let query = format!("EXISTS UPSTREAM HAS {what}");
        let expected = shown(below(&edges, &of, FAR));
        assert_eq!(found(&fixture, &query).await, expected, "{query}");
        let all = shown(models().cloned());
        let others: BTreeSet<String> = all.difference(&expected).cloned().collect();
        let negated = format!("NOT ({query})");
        assert_eq!(found(&fixture, &negated).await, others, "{negated}");
        // Parentheses end the WHERE.
        let both = format!("({query}) AND name = 'm'");
        let of_m = expected.iter().filter(|id| id.starts_with("m@")).cloned();
        assert_eq!(found(&fixture, &both).await, of_m.collect(), "{both}");
    }
}

#[tokio::test]
async fn a_walk_down_goes_through_what_was_deleted() {
    let fixture = Fixture::new().await;
    let data = fixture.record("data:d@1", json!({"rows": 1})).await;
    let middle = spec("m", "one").with_data(name("train"), data);
    let middle = fixture.register(middle).await.node;
    let child = spec("child", "two").with_parent(middle.clone(), Relation::Distill);
    fixture.register(child).await;
    let registry = &fixture.registry;
    registry
        .delete_used(&middle.into(), ada(), "gone")
        .await
        .unwrap();
    for query in [
        "EXISTS DOWNSTREAM OF 'data:d@1'",
        "EXISTS UPSTREAM HAS data",
        "EXISTS DOWNSTREAM WITHIN 1 OF 'model:m@1.0.0'",
    ] {
        let child = BTreeSet::from(["child@1.0.0".to_owned()]);
        assert_eq!(found(&fixture, query).await, child, "{query}");
    }
}

#[tokio::test]
async fn what_is_served_is_upstream_of_the_deployment() {
    let fixture = Fixture::new().await;
    let model = fixture.weights("m", "one").await.node;
    fixture.weights("m", "two").await;
    let beat = HeartbeatSpec::new(name("web"), name("pod"), ada()).with_model(model);
    fixture.registry.heartbeat(beat).await.unwrap();
    let query = "EXISTS UPSTREAM OF 'deployment:web@1'";
    assert_eq!(
        found(&fixture, query).await,
        BTreeSet::from(["m@1.0.0".to_owned()])
    );
    let query = "EXISTS UPSTREAM OF 'model:m'";
    assert_eq!(found(&fixture, query).await, BTreeSet::new());
}

#[tokio::test]
async fn a_mistake_names_its_column_and_what_is_not_there_is_named() {
    let fixture = Fixture::new().await;
    for (query, column) in [
        ("EXISTS", 7),
        ("EXISTS BESIDE OF 'data:d@1'", 8),
        ("EXISTS UPSTREAM WITHIN 0 OF 'data:d@1'", 24),
        ("EXISTS UPSTREAM WITHIN 1.5 OF 'data:d@1'", 24),
        ("EXISTS UPSTREAM OF data", 20),
        ("EXISTS UPSTREAM OF 'd@1'", 20),
        ("EXISTS UPSTREAM OF 'data:d'", 20),
        ("EXISTS UPSTREAM OF 'data:d@latest'", 20),
        ("EXISTS DOWNSTREAM HAS data", 19),
        ("EXISTS UPSTREAM HAS code", 21),
        ("EXISTS UPSTREAM HAS thing", 21),
        ("EXISTS UPSTREAM HAS data WHERE tags.a = 'b'", 32),
        ("EXISTS UPSTREAM HAS data WHERE version > '1'", 40),
    ] {
        let error = fixture
            .registry
            .search(query, &Page::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{query}");
        assert!(
            error.to_string().contains(&format!("column: {column}")),
            "{query}: {error}"
        );
    }
    for query in [
        "EXISTS UPSTREAM OF 'data:d@1'",
        "EXISTS UPSTREAM OF 'model:m'",
    ] {
        let error = fixture
            .registry
            .search(query, &Page::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{query}: {error}");
    }
    let nested = "EXISTS UPSTREAM HAS model WHERE ".repeat(40) + "name = 'm'";
    let error = fixture
        .registry
        .search(&nested, &Page::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nested more than"), "{error}");
}
