//! `mainstay lineage`

mod between;
mod graph;
mod impact;

use std::fmt;

use clap::{Args, Subcommand};
use mainstay::lineage::{Direction, Graph, WalkOptions};
use mainstay::{EdgeKind, Locator, NodeKind, NodeRef, Result, Workspace};

use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Lineage {
    Up(Up),
    Down(Down),
    Impact(impact::Impact),
    Path(between::Between),
    Common(between::Common),
    Graph(graph::Draw),
}

/// Show everything a thing came from
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay lineage up model:fraud@production
  mainstay lineage up unit:support --depth 1")]
pub(crate) struct Up {
    #[command(flatten)]
    walk: Walk,
}

/// Show everything that came from a thing
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay lineage down data:payments@7")]
pub(crate) struct Down {
    #[command(flatten)]
    walk: Walk,
}

#[derive(Debug, Args)]
struct Walk {
    /// The thing, as kind:name@selector
    #[arg(value_name = "REF")]
    reference: Locator,
    /// Walk at most so many edges away
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Follow edges of this kind only; repeatable
    #[arg(long = "edge", value_name = "KIND")]
    edges: Vec<EdgeKind>,
    /// Do not walk beyond things of this kind; repeatable
    #[arg(long = "stop", value_name = "KIND")]
    stops: Vec<NodeKind>,
}

impl Lineage {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Up(Up { walk }) => walk.run(global, Direction::Up).await,
            Self::Down(Down { walk }) => walk.run(global, Direction::Down).await,
            Self::Impact(impact) => impact.run(global).await,
            Self::Path(between) => between.run(global).await,
            Self::Common(common) => common.run(global).await,
            Self::Graph(draw) => draw.run(global).await,
        }
    }
}

impl Walk {
    async fn start(&self, global: &Global, directions: &[Direction]) -> Result<(Graph, NodeRef)> {
        let workspace = global.open().await?;
        self.near(&workspace, directions).await
    }

    async fn near(
        &self,
        workspace: &Workspace,
        directions: &[Direction],
    ) -> Result<(Graph, NodeRef)> {
        let view = workspace.repo().view().await?;
        let node = resolve(&view, &self.reference).await?;
        let options = self.options();
        let near = Graph::near(workspace.repo(), &view, &node, directions, &options).await?;
        Ok((workspace.named(near, &view).await?, node))
    }

    fn options(&self) -> WalkOptions {
        let mut options = WalkOptions::default().with_stops(self.stops.iter().copied());
        if let Some(depth) = self.depth {
            options = options.with_max_depth(depth);
        }
        if self.edges.is_empty() {
            options
        } else {
            options.with_edges(self.edges.iter().copied())
        }
    }

    async fn run(self, global: &Global, direction: Direction) -> Result<Answer> {
        let (graph, node) = self.start(global, &[direction]).await?;
        let options = self.options();
        let walk = match direction {
            Direction::Up => graph.ancestors(&node, &options)?,
            Direction::Down => graph.descendants(&node, &options)?,
        };
        let tree = graph.tree(&node, direction, &options)?;
        global
            .output()
            .result(&walk, |out| write!(out, "{}", Lines(&tree)))?;
        Ok(Answer::Yes)
    }
}

/// Text that ends with exactly one line break.
struct Lines<'t>(&'t str);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0.trim_end_matches('\n'))
    }
}
