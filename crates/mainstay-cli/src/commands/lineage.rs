//! `mainstay lineage`

use mainstay::repo::View;
use std::fmt;

use clap::{Args, Subcommand, ValueEnum};
use mainstay::lineage::{Direction, Graph, Presence, WalkOptions};
use mainstay::{Edge, Error, Locator, NodeRef, RefPath, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::output::Answer;
use crate::text::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Lineage {
    Up(Up),
    Down(Down),
    Impact(Impact),
    Graph(Draw),
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

/// Show what came from a thing, and under which names it is in use
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay lineage impact data:payments@7")]
pub(crate) struct Impact {
    #[command(flatten)]
    walk: Walk,
}

/// Draw what a thing came from and what came from it
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay lineage graph model:fraud
  mainstay lineage graph unit:support --format dot | dot -Tsvg > lineage.svg")]
pub(crate) struct Draw {
    #[command(flatten)]
    walk: Walk,
    /// How to draw it [default: text]
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Trees of text
    Text,
    /// The language of Graphviz
    Dot,
    /// A Mermaid flowchart
    Mermaid,
}

#[derive(Debug, Args)]
struct Walk {
    /// The thing, as kind:name@selector
    #[arg(value_name = "REF")]
    reference: Locator,
    /// Walk at most so many edges away
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
}

#[derive(Serialize)]
struct GraphDocument<'g> {
    nodes: Vec<NodeDocument<'g>>,
    edges: Vec<EdgeDocument<'g>>,
}

#[derive(Serialize)]
struct NodeDocument<'g> {
    node: &'g NodeRef,
    presence: Presence,
    names: &'g [RefPath],
}

#[derive(Serialize)]
struct EdgeDocument<'g> {
    from: &'g NodeRef,
    #[serde(flatten)]
    edge: &'g Edge,
}

impl Lineage {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Up(Up { walk }) => walk.run(global, Direction::Up).await,
            Self::Down(Down { walk }) => walk.run(global, Direction::Down).await,
            Self::Impact(Impact { walk }) => walk.impact(global).await,
            Self::Graph(draw) => draw.run(global).await,
        }
    }
}

impl Walk {
    async fn start(&self, global: &Global) -> Result<(Graph, NodeRef)> {
        let view = global.open().await?.repo().view().await?;
        let start = |view: &View| {
            let node = mainstay::resolve(view, &self.reference)?;
            Ok((Graph::from_view(view)?, node))
        };
        view.read(start).await
    }

    fn options(&self) -> WalkOptions {
        let options = WalkOptions::default();
        match self.depth {
            Some(depth) => options.with_max_depth(depth),
            None => options,
        }
    }

    async fn run(self, global: &Global, direction: Direction) -> Result<Answer> {
        let (graph, node) = self.start(global).await?;
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

    async fn impact(self, global: &Global) -> Result<Answer> {
        let (graph, node) = self.start(global).await?;
        let options = self.options();
        let impact = graph.impact(&node, &options)?;
        let tree = graph.tree(&node, Direction::Down, &options)?;
        global.output().result(&impact, |out| {
            writeln!(out, "{}", Lines(&tree))?;
            let mut table = Table::new(["in use as", "version"]);
            for name in &impact.names {
                table.row([(&name.name).into(), (&name.node).into()]);
            }
            table.write(out)
        })?;
        Ok(Answer::Yes)
    }
}

impl Draw {
    async fn run(self, global: &Global) -> Result<Answer> {
        let output = global.output();
        if output.json && self.format.is_some() {
            return Err(Error::invalid("--json and --format exclude each other"));
        }
        let (graph, node) = self.walk.start(global).await?;
        let options = self.walk.options();
        let around = graph.around(&node, &options)?;
        let document = GraphDocument::of(&around);
        match self.format.unwrap_or(Format::Text) {
            Format::Text => {
                let up = graph.tree(&node, Direction::Up, &options)?;
                let down = graph.tree(&node, Direction::Down, &options)?;
                output.result(&document, |out| {
                    writeln!(out, "came from\n\n{}", Lines(&up))?;
                    writeln!(out, "led to\n\n{}", Lines(&down))
                })?;
            }
            Format::Dot => output.verbatim(&document, &around.to_dot())?,
            Format::Mermaid => output.verbatim(&document, &around.to_mermaid())?,
        }
        Ok(Answer::Yes)
    }
}

impl<'g> GraphDocument<'g> {
    fn of(graph: &'g Graph) -> Self {
        let nodes = graph.nodes().map(|(node, presence)| NodeDocument {
            node,
            presence,
            names: graph.names(node),
        });
        let edges = graph
            .edges()
            .map(|(from, edge)| EdgeDocument { from, edge });
        Self {
            nodes: nodes.collect(),
            edges: edges.collect(),
        }
    }
}

/// Text that ends with exactly one line break.
struct Lines<'t>(&'t str);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0.trim_end_matches('\n'))
    }
}
