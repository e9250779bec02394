//! The shape of a company: a thousand models, each trained again and again from its version before, on
//! two of a thousand datasets that grow alike, by a run, in an environment; every tenth version is served
//! in a unit, and all use one dictionary.

use std::ops::Range;

use mainstay::repo::{Expectation, Step, Transaction, Value};
use mainstay::{Actor, Edge, EdgeKind, NodeRef, Workspace};

pub(crate) const NAMES: u64 = 1_000;
/// Models whose next versions are committed together.
const BATCH: u64 = 250;
/// The versions of each dictionary that are used: each by as many runs as a generation has.
const GENERATIONS_A_DICTIONARY: u64 = 10;

/// What has been written.
pub(crate) struct Company {
    pub(crate) edges: u64,
    pub(crate) generations: u64,
}

/// Writes at least so many edges: whole generations of models, twelve or more.
pub(crate) async fn generate(workspace: &Workspace, edges: u64) -> Company {
    let mut company = Company {
        edges: 0,
        generations: 0,
    };
    while company.edges < edges || company.generations < 12 {
        company.generations += 1;
        for first in (0..NAMES).step_by(BATCH.try_into().unwrap()) {
            company.edges += next(workspace, company.generations, first..first + BATCH).await;
        }
    }
    workspace.settle().await;
    company
}

pub(crate) fn node(kind: &str, n: u64, generation: u64) -> NodeRef {
    format!("{kind}:n{n:04}@{generation}").parse().unwrap()
}

/// What ten thousand runs used.
pub(crate) fn dictionary(n: u64) -> NodeRef {
    format!("data:dictionary@{}", n + 1).parse().unwrap()
}

/// Commits the next versions of some models and of what they are made from; returns how many edges.
async fn next(workspace: &Workspace, generation: u64, names: Range<u64>) -> u64 {
    let mut versions: Vec<(NodeRef, Vec<Edge>)> = Vec::new();
    let shared = dictionary((generation - 1) / GENERATIONS_A_DICTIONARY);
    if names.start == 0 && generation % GENERATIONS_A_DICTIONARY == 1 {
        versions.push((shared.clone(), Vec::new()));
    }
    for n in names {
        let at = |kind| node(kind, n, generation);
        let other = (n * 31 + 7) % NAMES;
        let other = node("data", other, generation.saturating_sub(1).max(1));
        let used = |to| Edge::new(EdgeKind::Used, to);
        let before =
            |kind, edge| (generation > 1).then(|| Edge::new(edge, node(kind, n, generation - 1)));
        versions.push((
            at("data"),
            before("data", EdgeKind::DerivedFrom).into_iter().collect(),
        ));
        versions.push((at("env"), Vec::new()));
        let mut run = vec![used(at("data")), used(at("env")), used(shared.clone())];
        if generation > 1 {
            run.push(used(other));
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
