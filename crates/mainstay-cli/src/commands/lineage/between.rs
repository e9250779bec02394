//! `mainstay lineage path` and `common`

use clap::Args;
use mainstay::lineage::{Direction, Graph, Path};
use mainstay::{Locator, NodeRef, Result};
use serde::Serialize;

use super::Walk;
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;

/// Show the ways by which one thing came from another
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay lineage path unit:support data:payments@7")]
pub(crate) struct Between {
    #[command(flatten)]
    walk: Walk,
    /// What it came from, as kind:name@selector
    #[arg(value_name = "ORIGIN")]
    origin: Locator,
    /// Show at most so many ways
    #[arg(long, value_name = "N", default_value_t = 10)]
    most: usize,
}

/// Show the nearest things that two came from
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay lineage common model:fraud@1.0.0 model:spam@2.1.0")]
pub(crate) struct Common {
    #[command(flatten)]
    walk: Walk,
    /// The other thing
    #[arg(value_name = "OTHER")]
    other: Locator,
}

#[derive(Serialize)]
struct PathsDocument<'p> {
    from: &'p NodeRef,
    to: &'p NodeRef,
    paths: &'p [Path],
}

#[derive(Serialize)]
struct CommonDocument<'c> {
    a: &'c NodeRef,
    b: &'c NodeRef,
    common: &'c [NodeRef],
}

impl Between {
    pub(super) async fn run(self, global: &Global) -> Result<Answer> {
        let (graph, start) = self.walk.start(global, &[Direction::Up]).await?;
        let view = global.open().await?.repo().view().await?;
        let end = resolve(&view, &self.origin).await?;
        let options = self.walk.options();
        let paths = match graph.presence(&end) {
            Some(_) => graph.paths(&start, &end, &options, self.most)?,
            None => Vec::new(),
        };
        let document = PathsDocument {
            from: &start,
            to: &end,
            paths: &paths,
        };
        global.output().result(&document, |out| {
            for path in &paths {
                write!(out, "{}", graph.label(&path.start))?;
                for edge in &path.edges {
                    write!(out, "\n  {} {}", edge.kind, graph.label(&edge.to))?;
                }
                writeln!(out)?;
            }
            Ok(())
        })?;
        Ok(Answer::of(!paths.is_empty()))
    }
}

impl Common {
    pub(super) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let options = self.walk.options();
        let a = resolve(&view, &self.walk.reference).await?;
        let b = resolve(&view, &self.other).await?;
        let up = [Direction::Up];
        let of_a = Graph::near(workspace.repo(), &view, &a, &up, &options).await?;
        let of_b = Graph::near(workspace.repo(), &view, &b, &up, &options).await?;
        let graph = workspace.named(of_a.joined(&of_b), &view).await?;
        let common = graph.common(&a, &b, &options)?;
        let document = CommonDocument {
            a: &a,
            b: &b,
            common: &common,
        };
        global.output().result(&document, |out| {
            let mut nodes = common.iter();
            nodes.try_for_each(|node| writeln!(out, "{}", graph.label(node)))
        })?;
        Ok(Answer::of(!common.is_empty()))
    }
}
