//! `mainstay model stage`

use clap::Args;
use mainstay::registry::{self, StageChange, StagePolicy};
use mainstay::repo::View;
use mainstay::{Error, Name, NodeRef, Result};
use serde::Serialize;

use crate::cli::Global;
use crate::commands::moment::At;
use crate::output::Answer;
use crate::text::{BAD, BOLD, Cell, DIM, PLAIN, Table, joined, when};

/// Show which versions are in which stage, and who moved them there
///
/// Versions move with promote and rollback.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay model stage fraud
  mainstay model stage fraud production --history
  mainstay model stage fraud production --at 2026-01-01T00:00:00Z")]
pub(crate) struct Stage {
    /// The model
    model: Name,
    /// Show this stage only
    #[arg(value_name = "STAGE")]
    only: Option<Name>,
    /// Show every move, newest first
    #[arg(long)]
    history: bool,
    #[command(flatten)]
    moment: At,
}

#[derive(Serialize)]
struct Document<'a> {
    model: &'a Name,
    stages: Vec<Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<StageChange>>,
}

#[derive(Serialize)]
struct Held {
    stage: Name,
    exclusive: bool,
    versions: Vec<NodeRef>,
}

impl Stage {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = self.moment.view(&workspace).await?;
        let stages = view.read(|view| self.stages(view)).await?;
        let history = if self.history {
            let models = workspace.models();
            let changes = models.stage_history(&self.model, self.only.as_ref());
            let mut changes = changes.await?;
            changes.retain(|change| change.seq <= view.seq());
            Some(changes)
        } else {
            None
        };
        let document = Document {
            model: &self.model,
            stages,
            history,
        };
        global
            .output()
            .result(&document, |out| document.write(out))?;
        Ok(Answer::Yes)
    }

    fn stages(&self, view: &View) -> Result<Vec<Held>> {
        let versions = registry::versions(view, &self.model)?;
        if versions.is_empty() {
            return Err(Error::not_found("model", &self.model));
        }
        let policy = StagePolicy::of(view, &self.model)?;
        if let Some(stage) = &self.only {
            policy.stage(stage)?;
        }
        let wanted = policy.stages.iter().filter(|stage| {
            let only = self.only.as_ref();
            only.is_none_or(|only| *only == stage.name)
        });
        let held = wanted.map(|stage| Held {
            stage: stage.name.clone(),
            exclusive: stage.exclusive,
            versions: versions
                .iter()
                .filter(|version| version.stage == stage.name)
                .map(|version| version.node.clone())
                .collect(),
        });
        Ok(held.collect())
    }
}

impl Document<'_> {
    fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let mut table = Table::new(["stage", "versions"]);
        for held in &self.stages {
            let style = if held.exclusive { BOLD } else { PLAIN };
            table.row([
                Cell::new(&held.stage, style),
                joined(held.versions.iter().map(NodeRef::version)).into(),
            ]);
        }
        table.write(out)?;
        let Some(history) = &self.history else {
            return Ok(());
        };
        writeln!(out)?;
        let mut moves = Table::new(["version", "from", "to", "time", "actor", "reason"]);
        for change in history {
            moves.row([
                change.model.version().into(),
                (&change.from).into(),
                (&change.to).into(),
                Cell::new(when(change.time), DIM),
                (&change.actor).into(),
                match change.overruled {
                    Some(_) => Cell::new(&change.reason, BAD),
                    None => (&change.reason).into(),
                },
            ]);
        }
        moves.write(out)
    }
}
