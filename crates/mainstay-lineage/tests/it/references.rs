//! What is written for other tools, as those tools read it, where they are installed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use mainstay_core::{Edge, EdgeKind, NodeKind, NodeRef};
use mainstay_lineage::Graph;
use mainstay_repo::{Expectation, Value};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::exports::authored;
use crate::fixture::Fixture;

/// How many graphs at random are written beside the one made by hand.
const GRAPHS: usize = 12;

/// Gives documents to a script of `tests/reference`, one a line; `None` without the packages that it needs,
/// and what it has against them otherwise.
fn reference(arguments: &[&str], documents: &[serde_json::Value]) -> Option<Result<(), String>> {
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/");
    let (script, arguments) = arguments.split_first().unwrap();
    let python = std::env::var("MAINSTAY_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let spawned = Command::new(python)
        .arg("-B")
        .arg(format!("{scripts}{script}"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = match spawned {
        Ok(process) => process,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("python3 does not start: {error}"),
    };
    let mut stdin = process.stdin.take().unwrap();
    let mut lines = documents.iter();
    let written = lines.try_for_each(|document| writeln!(stdin, "{document}"));
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(77) => None,
        Some(0) => {
            written.unwrap();
            Some(Ok(()))
        }
        Some(3) => Some(Err(said)),
        _ => panic!("the reference fails: {said}"),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// A name that is hard on what other tools read.
fn named() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9]{0,3}",
        "ü[a-z+_-]{0,3}[.]x",
        "[A-Z]{1,4}",
        "数据[0-9]"
    ]
}

/// Things of every kind that is kept, each with edges to some before it, as their kinds allow, and to people
/// and commits. Edges are as many, and of kinds, as their numbers say.
fn things() -> impl Strategy<Value = Vec<(NodeRef, Vec<Edge>)>> {
    let kinds: Vec<NodeKind> = NodeKind::ALL.into_iter().collect();
    let kept = kinds.clone().into_iter().filter(|kind| !kind.is_external());
    let kept: Vec<NodeKind> = kept.collect();
    let outside = (named(), named(), named());
    let thing = (
        proptest::sample::select(kept),
        named(),
        proptest::collection::vec(
            (any::<prop::sample::Index>(), 0..8_usize, any::<bool>()),
            0..5,
        ),
    );
    (proptest::collection::vec(thing, 1..24), outside).prop_map(|(things, outside)| {
        let node = |kind, name: &str, version: &str| {
            NodeRef::new(kind, name.parse().unwrap(), version.parse().unwrap())
        };
        let mut before = vec![
            node(NodeKind::Agent, &outside.0, "1"),
            node(NodeKind::Code, &outside.1, "9f31c2a"),
            // Named, and never there.
            node(NodeKind::Data, &outside.2, "absent"),
        ];
        let mut made = Vec::new();
        for (version, (kind, name, links)) in things.into_iter().enumerate() {
            let thing = node(kind, &name, &format!("{version}.0.0+b"));
            let mut edges = Vec::new();
            for (to, edge, has_role) in links {
                let (to, edge) = (to.get(&before).clone(), EdgeKind::ALL[edge]);
                if edge.joins(kind, to.kind()) {
                    let edge = Edge::new(edge, to);
                    let role = has_role.then(|| name.parse().unwrap());
                    edges.push(match role {
                        Some(role) => edge.with_role(role),
                        None => edge,
                    });
                }
            }
            before.push(thing.clone());
            made.push((thing, edges));
        }
        made
    })
}

/// The graph made by hand, and some at random, of which things were deleted, with who committed what.
async fn graphs() -> Vec<Graph> {
    let mut graphs = vec![authored().await];
    let mut runner = TestRunner::deterministic();
    for _ in 0..GRAPHS {
        let things = things().new_tree(&mut runner).unwrap().current();
        let fixture = Fixture::new().await;
        for (node, edges) in &things {
            let value = Value::new("note", &json!({})).unwrap();
            let value = value.with_edges(edges.clone());
            fixture
                .commit("add", |transaction| {
                    transaction.set(node.ref_path(), value.clone(), Expectation::Any);
                })
                .await;
        }
        for (node, _) in things.iter().step_by(7) {
            fixture.delete(&node.to_string()).await;
        }
        let view = fixture.view().await;
        let graph = Graph::from_view(&view).unwrap();
        graphs.push(graph.with_authors(&fixture.repo, &view).await.unwrap());
    }
    graphs
}

async fn events() -> Vec<serde_json::Value> {
    let graphs = graphs().await;
    let events = graphs
        .iter()
        .map(|graph| graph.to_openlineage("mainstay://läb 7"));
    events.flatten().collect()
}

/// What no reader may take for an event.
fn broken(event: &serde_json::Value) -> Vec<(&'static str, serde_json::Value)> {
    let with = |pointer: &'static str, value: &str| {
        let mut broken = event.clone();
        *broken.pointer_mut(pointer).unwrap() = json!(value);
        (pointer, broken)
    };
    vec![
        with("/eventTime", "today"),
        with("/eventType", "DONE"),
        with("/run", "none"),
        with("/run/runId", "7"),
    ]
}

#[tokio::test]
async fn the_client_of_openlineage_reads_events_and_writes_them_again() {
    let events = events().await;
    let Some(read) = reference(&["openlineage.py"], &events) else {
        return skipped("no Python with the package openlineage-python");
    };
    assert_eq!(read, Ok(()));
    for (what, event) in broken(&events[0]) {
        assert!(
            reference(&["openlineage.py"], &[event]).unwrap().is_err(),
            "{what}"
        );
    }
}

#[tokio::test]
async fn events_are_valid_by_the_schemas_of_openlineage() {
    let Ok(schemas) = std::env::var("MAINSTAY_OPENLINEAGE_SPEC") else {
        return skipped("MAINSTAY_OPENLINEAGE_SPEC names no directory of schemas");
    };
    let (script, events) = (["openlineage_schema.py", &schemas], events().await);
    let Some(read) = reference(&script, &events) else {
        return skipped("no Python with the package jsonschema");
    };
    assert_eq!(read, Ok(()));
    let mut all = broken(&events[0]);
    let owned = events.iter().find(|event| event["outputs"][0].is_object());
    for (pointer, wrong) in [
        ("/outputs/0/facets/version/datasetVersion", json!(1)),
        ("/outputs/0/facets/ownership/owners/0", json!({})),
        ("/run/facets/mainstay_edges/_schemaURL", json!(null)),
    ] {
        let mut event = owned.unwrap().clone();
        *event.pointer_mut(pointer).unwrap() = wrong;
        all.push((pointer, event));
    }
    for (what, event) in all {
        assert!(reference(&script, &[event]).unwrap().is_err(), "{what}");
    }
}

#[tokio::test]
async fn the_package_prov_reads_documents_and_writes_them_again() {
    let graphs = graphs().await;
    let documents: Vec<_> = graphs.iter().map(Graph::to_prov).collect();
    let Some(read) = reference(&["prov_json.py"], &documents) else {
        return skipped("no Python with the packages prov and jsonschema");
    };
    assert_eq!(read, Ok(()));
    for (section, wrong) in [
        (
            "wasGeneratedBy",
            json!({"_:x": {"prov:activity": "mainstay:run/none/version/1"}}),
        ),
        ("used", json!({"_:x": {"prov:activity": 7}})),
        ("prefix", json!({})),
        ("whoKnows", json!({"_:x": {}})),
    ] {
        let mut document = documents[0].clone();
        document[section] = wrong;
        assert!(
            reference(&["prov_json.py"], &[document]).unwrap().is_err(),
            "{section}"
        );
    }
}
