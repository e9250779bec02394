//! Walking a large lineage, and asking what changed.
//!
//! ```text
//! cargo bench -p mainstay-bench --bench lineage               with 1,000,000 edges
//! cargo bench -p mainstay-bench --bench lineage -- 50000      with about so many
//! ```
//!
//! The shape is that of a company: a thousand models, each trained again and again from its version
//! before, on two of a thousand datasets that grow alike, by a run, in an environment; every tenth
//! version is served in a unit. Record runs in `results/lineage.md`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a program for people that measures time and stops at the first failure"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use mainstay::data::SnapshotSpec;
use mainstay::lineage::{Direction, Graph, WalkOptions};
use mainstay::registry::{FileSpec, ModelSpec};
use mainstay::repo::{Expectation, RepoOptions, Step, Transaction, Value, View};
use mainstay::rollout::UnitSpec;
use mainstay::store::MemoryStorage;
use mainstay::{Actor, Edge, EdgeKind, NodeRef, Workspace};

const EDGES: u64 = 1_000_000;
const NAMES: u64 = 1_000;
/// Edges of a version of a model, of its run, of its share of data and units.
const EDGES_A_VERSION: u64 = 9;
/// Models whose next versions are committed together.
const BATCH: u64 = 250;
const RUNS: usize = 101;

fn main() {
    let wanted = std::env::args().skip(1).find(|text| text != "--bench");
    let edges: u64 = wanted.map_or(EDGES, |text| text.parse().unwrap());
    let generations = (edges / EDGES_A_VERSION / NAMES).max(12);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    runtime.block_on(async {
        let storage = Arc::new(MemoryStorage::new());
        let workspace = Workspace::create_on(storage, RepoOptions::default())
            .await
            .unwrap();
        let start = Instant::now();
        let mut written = 0;
        for generation in 1..=generations {
            for first in (0..NAMES).step_by(BATCH.try_into().unwrap()) {
                written += generate(&workspace, generation, first..first + BATCH).await;
            }
        }
        workspace.settle().await;
        println!(
            "{written} edges, written in {:.0} s",
            start.elapsed().as_secs_f64()
        );
        measure(&workspace, generations).await;
    });
}

async fn measure(workspace: &Workspace, generations: u64) {
    let view = workspace.repo().view().await.unwrap();
    view.load("").await.unwrap();
    // Later parts load when they are first asked for.
    for warm in [false, true] {
        println!("{}", if warm { "again" } else { "for the first time" });
        let model = |n: u64| node("model", n * 7 % NAMES, generations);
        let one = WalkOptions::default().with_max_depth(1);
        let ten = WalkOptions::default().with_max_depth(10);
        walk(workspace, &view, "one hop up", model, Direction::Up, &one).await;
        let data = |n: u64| node("data", n * 7 % NAMES, generations / 2);
        walk(
            workspace,
            &view,
            "one hop down",
            data,
            Direction::Down,
            &one,
        )
        .await;
        walk(
            workspace,
            &view,
            "up to depth 10",
            model,
            Direction::Up,
            &ten,
        )
        .await;
        let three = WalkOptions::default().with_max_depth(3);
        walk(
            workspace,
            &view,
            "down to depth 3",
            data,
            Direction::Down,
            &three,
        )
        .await;
    }
    let (a, b) = (
        release(workspace, "3750").await,
        release(workspace, "3.75").await,
    );
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        black_box(workspace.changed(&a, &b).await.unwrap());
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    print("what changed", &mut times, "");
}

/// A unit of a real model and real data, in the midst of the others.
async fn release(workspace: &Workspace, mass: &str) -> NodeRef {
    let (actor, directory) = (Actor::new("bench").unwrap(), tempfile::tempdir().unwrap());
    let path = directory.path().join("penguins.csv");
    let rows = (0..1_000).map(|n| format!("{n},{mass}\n"));
    std::fs::write(&path, format!("id,mass\n{}", rows.collect::<String>())).unwrap();
    let data = SnapshotSpec::new("penguins".parse().unwrap(), actor.clone(), "bench");
    let data = data.with_path(&path);
    let data = workspace.data().snapshot(data).await.unwrap().node;
    let file = FileSpec::from_bytes("model.bin".parse().unwrap(), mass.to_owned());
    let model = ModelSpec::new("species".parse().unwrap(), actor.clone(), "bench")
        .with_file(file)
        .with_data("train".parse().unwrap(), data.clone());
    let model = workspace.models().register(model).await.unwrap().node;
    let unit = UnitSpec::new("classifier".parse().unwrap())
        .with_component("model".parse().unwrap(), model)
        .with_component("data".parse().unwrap(), data);
    workspace
        .units()
        .create(unit, actor, "bench")
        .await
        .unwrap()
        .node
}

async fn walk(
    workspace: &Workspace,
    view: &View,
    what: &str,
    start: impl Fn(u64) -> NodeRef,
    direction: Direction,
    options: &WalkOptions,
) {
    let (mut times, mut reached) = (Vec::new(), 0);
    for n in 0..RUNS as u64 {
        let start = start(n);
        let begin = Instant::now();
        let (repo, directions) = (workspace.repo(), [direction]);
        let graph = Graph::near(repo, view, &start, &directions, options);
        let graph = graph.await.unwrap();
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        reached += graph.len();
    }
    print(what, &mut times, &format!(", {} nodes", reached / RUNS));
}

fn print(what: &str, times: &mut [f64], more: &str) {
    times.sort_unstable_by(f64::total_cmp);
    println!(
        "  {what}: {:.3} ms ({:.3} to {:.3}){more}",
        times[times.len() / 2],
        times[0],
        times[times.len() - 1]
    );
}

fn node(kind: &str, n: u64, generation: u64) -> NodeRef {
    format!("{kind}:n{n:04}@{generation}").parse().unwrap()
}

/// Commits the next versions of some models and of what they are made from; returns how many edges.
async fn generate(workspace: &Workspace, generation: u64, names: std::ops::Range<u64>) -> u64 {
    let mut versions: Vec<(NodeRef, Vec<Edge>)> = Vec::new();
    for n in names {
        let at = |kind| node(kind, n, generation);
        let other = node(
            "data",
            (n * 31 + 7) % NAMES,
            generation.saturating_sub(1).max(1),
        );
        let used = |to| Edge::new(EdgeKind::Used, to);
        let before =
            |kind, edge| (generation > 1).then(|| Edge::new(edge, node(kind, n, generation - 1)));
        versions.push((
            at("data"),
            before("data", EdgeKind::DerivedFrom).into_iter().collect(),
        ));
        versions.push((at("env"), Vec::new()));
        let mut run = vec![used(at("data")), used(at("env"))];
        if generation > 1 {
            run.push(used(other.clone()));
        }
        versions.push((at("run"), run));
        let mut model = vec![
            used(at("data")),
            used(at("env")),
            Edge::new(EdgeKind::GeneratedBy, at("run")),
        ];
        model.extend(before("model", EdgeKind::DerivedFrom));
        versions.push((at("model"), model));
        if n.is_multiple_of(10) {
            let part = |kind: &'static str| {
                Edge::new(EdgeKind::Contains, at(kind)).with_role(kind.parse().unwrap())
            };
            versions.push((at("unit"), vec![part("model"), part("data"), part("env")]));
        }
    }
    let edges = versions.iter().map(|(_, edges)| edges.len() as u64).sum();
    let commit = workspace.repo().transact(|_| {
        let mut transaction = Transaction::new(Actor::new("bench")?, "next generation");
        for (node, edges) in &versions {
            let value = Value::new("bench", &node.to_string())?.with_edges(edges.clone());
            transaction.set(node.ref_path(), value, Expectation::Absent);
        }
        Ok(Step::Commit(transaction, ()))
    });
    commit.await.unwrap();
    edges
}
