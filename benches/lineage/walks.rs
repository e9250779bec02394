//! Walks through the lineage of a company.

use std::sync::Arc;
use std::time::Instant;

use mainstay::lineage::{Direction, Graph, WalkOptions};
use mainstay::repo::{RepoOptions, View};
use mainstay::store::Storage;
use mainstay::{NodeRef, Workspace};

use crate::company::{self, NAMES, dictionary, node};
use crate::{RUNS, print};

pub(crate) async fn measure(storage: Arc<dyn Storage>, edges: u64) {
    let options = RepoOptions::default;
    let workspace = Workspace::create_on(Arc::clone(&storage), options())
        .await
        .unwrap();
    let start = Instant::now();
    let company = company::generate(&workspace, edges).await;
    println!(
        "{} edges, written in {:.0} s",
        company.edges,
        start.elapsed().as_secs_f64()
    );
    drop(workspace);
    // As a process that begins.
    let workspace = Workspace::open_on(storage, options()).await.unwrap();
    let view = workspace.repo().view().await.unwrap();
    let generations = company.generations;
    for warm in [false, true] {
        println!("{}", if warm { "again" } else { "for the first time" });
        let walk = Walks {
            workspace: &workspace,
            view: &view,
        };
        let model = |n: u64| node("model", n * 7 % NAMES, generations);
        let data = |n: u64| node("data", n * 7 % NAMES, generations / 2);
        let depth = |depth| WalkOptions::default().with_max_depth(depth);
        walk.each("one hop up", model, Direction::Up, &depth(1))
            .await;
        walk.each("one hop down", data, Direction::Down, &depth(1))
            .await;
        walk.each("up to depth 10", model, Direction::Up, &depth(10))
            .await;
        walk.each("down to depth 3", data, Direction::Down, &depth(3))
            .await;
        // 10,000 runs used it.
        let used = |_| dictionary(0);
        walk.each(
            "one hop down to very many",
            used,
            Direction::Down,
            &depth(1),
        )
        .await;
    }
}

struct Walks<'w> {
    workspace: &'w Workspace,
    view: &'w View,
}

impl Walks<'_> {
    async fn each(
        &self,
        what: &str,
        start: impl Fn(u64) -> NodeRef,
        direction: Direction,
        options: &WalkOptions,
    ) {
        let (mut times, mut reached) = (Vec::new(), 0);
        for n in 0..RUNS as u64 {
            let start = start(n);
            let begin = Instant::now();
            let (repo, directions) = (self.workspace.repo(), [direction]);
            let graph = Graph::near(repo, self.view, &start, &directions, options);
            let graph = graph.await.unwrap();
            times.push(begin.elapsed().as_secs_f64() * 1e3);
            reached += graph.len();
        }
        print(what, &mut times, &format!(", {} nodes", reached / RUNS));
    }
}
