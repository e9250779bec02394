//! `mainstay data branch`

use clap::{Args, Subcommand};
use mainstay::data::{BranchChange, BranchInfo, BranchTarget};
use mainstay::{Locator, Name, NodeRef, Result};
use serde::Serialize;

use crate::args;
use crate::cli::Global;
use crate::commands::resolve;
use crate::output::Answer;
use crate::text::{Cell, DIM, Table, when};

#[derive(Debug, Subcommand)]
pub(crate) enum Branch {
    Create(Create),
    List(List),
    Moves(Moves),
    Forward(Forward),
    Delete(Delete),
}

impl Branch {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Create(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Moves(command) => command.run(global).await,
            Self::Forward(command) => command.run(global).await,
            Self::Delete(command) => command.run(global).await,
        }
    }
}

/// Begin a branch at a version
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data branch create penguins@v1 cleaning")]
pub(crate) struct Create {
    /// The dataset version, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
    /// The branch
    branch: Name,
}

/// List the branches of a dataset
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data branch list penguins")]
pub(crate) struct List {
    /// The dataset
    name: Name,
}

/// List where a branch has been, newest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data branch moves penguins cleaning")]
pub(crate) struct Moves {
    /// The dataset
    name: Name,
    /// The branch
    branch: Name,
}

/// Move a branch to a version that continues it
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data branch forward main penguins@cleaning")]
pub(crate) struct Forward {
    /// The branch
    branch: Name,
    /// The version it moves to, as name@selector
    #[arg(value_name = "REF", value_parser = args::data)]
    reference: Locator,
}

/// Delete a branch; its versions stay
#[derive(Debug, Args)]
#[command(after_long_help = "\
Example:
  mainstay data branch delete penguins cleaning")]
pub(crate) struct Delete {
    /// The dataset
    name: Name,
    /// The branch
    branch: Name,
}

#[derive(Serialize)]
struct Pointing<'a> {
    branch: &'a Name,
    node: &'a NodeRef,
    changed: bool,
}

impl Pointing<'_> {
    fn tell(&self, global: &Global) -> Result<Answer> {
        let Self { branch, node, .. } = self;
        global
            .output()
            .result(self, |out| writeln!(out, "{branch} -> {node}"))?;
        Ok(Answer::Yes)
    }
}

#[derive(Serialize)]
struct Branches {
    branches: Vec<BranchInfo>,
}

#[derive(Serialize)]
struct History {
    moves: Vec<BranchChange>,
}

impl Create {
    async fn run(self, global: &Global) -> Result<Answer> {
        let Self { reference, branch } = self;
        let workspace = global.open().await?;
        let node = workspace.resolve(&reference).await?;
        let (actor, reason) = (global.actor()?, global.reason(format!("branch {branch}")));
        let datasets = workspace.data();
        datasets
            .create_branch(&branch, &node, actor, reason)
            .await?;
        let pointing = Pointing {
            branch: &branch,
            node: &node,
            changed: true,
        };
        pointing.tell(global)
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<Answer> {
        let datasets = global.open().await?.data();
        let branches = datasets.branches(&self.name).await?;
        let document = Branches { branches };
        global.output().result(&document, |out| {
            let mut table = Table::new(["branch", "version", "moves", "moved"]).numbers_in(&[1, 2]);
            for branch in &document.branches {
                table.row([
                    (&branch.branch).into(),
                    branch.head.version().into(),
                    branch.moves.into(),
                    Cell::new(when(branch.time), DIM),
                ]);
            }
            table.write(out)
        })?;
        Ok(Answer::Yes)
    }
}

impl Moves {
    async fn run(self, global: &Global) -> Result<Answer> {
        let datasets = global.open().await?.data();
        let moves = datasets.branch_moves(&self.name, &self.branch).await?;
        let document = History { moves };
        global.output().result(&document, |out| {
            let mut table = Table::new(["version", "moved", "by", "reason"]).numbers_in(&[0]);
            for change in &document.moves {
                let version = change.to.as_ref().map(|node| node.version().to_string());
                table.row([
                    version.unwrap_or_else(|| "deleted".to_owned()).into(),
                    Cell::new(when(change.time), DIM),
                    (&change.actor).into(),
                    (&change.reason).into(),
                ]);
            }
            table.write(out)
        })?;
        Ok(Answer::Yes)
    }
}

impl Forward {
    async fn run(self, global: &Global) -> Result<Answer> {
        let workspace = global.open().await?;
        let view = workspace.repo().view().await?;
        let node = resolve(&view, &self.reference).await?;
        let reason = global.reason(format!("move {} to {node}", self.branch));
        let target = BranchTarget::new(self.branch);
        let datasets = workspace.data();
        let moving = datasets.advance_branch(&target, &node, global.actor()?, reason);
        let changed = moving.await?;
        let pointing = Pointing {
            branch: &target.branch,
            node: &node,
            changed,
        };
        pointing.tell(global)
    }
}

impl Delete {
    async fn run(self, global: &Global) -> Result<Answer> {
        let reason = global.reason(format!("delete branch {}", self.branch));
        let target = BranchTarget::new(self.branch);
        let datasets = global.open().await?.data();
        let deleting = datasets.delete_branch(&self.name, &target, global.actor()?, reason);
        let node = deleting.await?;
        let pointing = Pointing {
            branch: &target.branch,
            node: &node,
            changed: true,
        };
        let branch = &target.branch;
        global.output().result(&pointing, |out| {
            writeln!(out, "deleted {branch}, which was at {node}")
        })?;
        Ok(Answer::Yes)
    }
}
