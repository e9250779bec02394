//! `mainstay lineage graph`

use clap::{Args, ValueEnum};
use mainstay::lineage::{Direction, Graph, Presence};
use mainstay::{Edge, Error, Name, NodeRef, RefPath, Result, Workspace};
use serde::Serialize;

use super::{Lines, Walk};
use crate::cli::Global;
use crate::output::Answer;

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
    /// The namespace of `OpenLineage` events [default: `mainstay://` and the workspace's id]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Trees of text
    Text,
    /// The language of Graphviz
    Dot,
    /// A Mermaid flowchart
    Mermaid,
    /// An image that needs nothing else
    Svg,
    /// `OpenLineage` events, one a line
    Openlineage,
    /// W3C PROV as JSON
    Prov,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<&'g Name>,
    names: &'g [RefPath],
}

#[derive(Serialize)]
struct EdgeDocument<'g> {
    from: &'g NodeRef,
    #[serde(flatten)]
    edge: &'g Edge,
}

impl Draw {
    pub(super) async fn run(self, global: &Global) -> Result<Answer> {
        let output = global.output();
        if output.json && self.format.is_some() {
            return Err(Error::invalid("--json and --format exclude each other"));
        }
        let format = self.format.unwrap_or(Format::Text);
        if self.namespace.is_some() && format != Format::Openlineage {
            return Err(Error::invalid("--namespace is for --format openlineage"));
        }
        let workspace = global.open().await?;
        let both = [Direction::Up, Direction::Down];
        let (graph, node) = self.walk.near(&workspace, &both).await?;
        let options = self.walk.options();
        let around = graph.around(&node, &options)?;
        let document = GraphDocument::of(&around);
        match format {
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
            Format::Svg => output.verbatim(&document, &around.to_svg())?,
            Format::Openlineage => {
                let namespace = match self.namespace {
                    Some(namespace) => namespace,
                    None => format!("mainstay://{}", workspace.repo().id().await?),
                };
                let events = authored(&workspace, &around).await?;
                let events = events.to_openlineage(&namespace);
                let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
                let lines = lines.join("\n") + "\n";
                output.verbatim(&document, &lines)?;
            }
            Format::Prov => {
                let provenance = authored(&workspace, &around).await?.to_prov();
                output.verbatim(&document, &format!("{provenance:#}\n"))?;
            }
        }
        Ok(Answer::Yes)
    }
}

/// The graph with who committed what.
async fn authored(workspace: &Workspace, graph: &Graph) -> Result<Graph> {
    let view = workspace.repo().view().await?;
    graph.clone().with_authors(workspace.repo(), &view).await
}

impl<'g> GraphDocument<'g> {
    fn of(graph: &'g Graph) -> Self {
        let nodes = graph.nodes().map(|(node, presence)| NodeDocument {
            node,
            presence,
            called: graph.called(node),
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
