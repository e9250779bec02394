//! `mainstay lineage impact`

use std::io::{self, Write};

use clap::Args;
use mainstay::lineage::{Direction, Impact as Found};
use mainstay::{Live, NodeRef, Result};
use serde::Serialize;

use super::{Lines, Walk};
use crate::cli::Global;
use crate::output::Answer;
use crate::text::{Cell, Table, joined, when};

/// Show what came from a thing, under which names it is in use, and what serves it now
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay lineage impact data:payments@7")]
pub(crate) struct Impact {
    #[command(flatten)]
    walk: Walk,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    impact: Found,
    live: Vec<Live>,
}

impl Impact {
    pub(super) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let (graph, node) = self.walk.near(&workspace, &[Direction::Down]).await?;
        let options = self.walk.options();
        let impact = graph.impact(&node, &options)?;
        let tree = graph.tree(&node, Direction::Down, &options)?;
        let live = workspace.live(&impact.walk).await?;
        let document = Document { impact, live };
        global.output().result(&document, |out| {
            writeln!(out, "{}", Lines(&tree))?;
            document.write(out)
        })?;
        Ok(Answer::Yes)
    }
}

impl Document {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut names = Table::new(["in use as", "version", "serves", "by way of"]);
        for name in &self.impact.names {
            let serves = if name.serves { "yes" } else { "" };
            let row: [Cell; 4] = [
                (&name.name).into(),
                (&name.node).into(),
                serves.into(),
                between(&name.path).into(),
            ];
            names.row(row);
        }
        names.write(out)?;
        if !self.impact.names.is_empty() && !self.live.is_empty() {
            writeln!(out)?;
        }
        let mut live = Table::new(["served by", "instance", "version", "last seen", "by way of"]);
        for served in &self.live {
            // The version has a column of its own.
            let way = served.path.split_last().map_or(&[][..], |(_, way)| way);
            let row: [Cell; 5] = [
                (&served.service).into(),
                (&served.instance).into(),
                (&served.model).into(),
                when(served.seen).into(),
                between(way).into(),
            ];
            live.row(row);
        }
        live.write(out)
    }
}

/// What lies between both ends of a way.
fn between(path: &[NodeRef]) -> String {
    joined(
        path.get(1..path.len().saturating_sub(1))
            .unwrap_or_default(),
    )
}
