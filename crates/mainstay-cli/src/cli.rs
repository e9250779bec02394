//! The grammar of the command line.

use std::sync::OnceLock;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};
use mainstay::data::Datasets;
use mainstay::repo::Repo;
use mainstay::{Actor, Result, Workspace};

use crate::commands;
use crate::output::Output;

const EXAMPLE: &str = "\
Exit codes:
  0  done
  1  a check said no: a gate, a guardrail, drift, incompatible, damage
  2  usage or invalid input
  3  not found
  4  conflict, or already exists
  5  corrupt, or written by a newer Mainstay
  6  storage unavailable, or permission denied

Example:
  mainstay init
  mainstay data snapshot penguins penguins.csv
  mainstay model register species model.json --data penguins --code training@9f31c2a
  mainstay lineage up model:species";

/// Version, link and roll back everything an AI system is made of.
///
/// Things are named kind:name@selector, for example model:fraud@1.2.0. The kind may be left out where
/// the command implies it. A selector is a version, a tag, a label, an alias, a stage, sha256:…, or
/// latest, which is also meant when it is left out.
#[derive(Debug, Parser)]
#[command(
    name = "mainstay",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_long_help = EXAMPLE
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The workspace: a path, file://, s3://, gs://, az://, sqlite: or postgres://
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MAINSTAY_REPO",
        hide_env_values = true,
        value_parser = NonEmptyStringValueParser::new(),
        default_value = "./.mainstay"
    )]
    pub(crate) repo: String,
    /// Print one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Who changes something [default: the login name]
    #[arg(
        long,
        global = true,
        value_name = "WHO",
        env = "MAINSTAY_ACTOR",
        hide_env_values = true
    )]
    pub(crate) actor: Option<String>,
    /// Why something is changed; the log records it [default: what the command does]
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Print results only, no remarks
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// The workspace, once it is open
    #[arg(skip)]
    opened: OnceLock<Workspace>,
}

impl Global {
    pub(crate) fn output(&self) -> Output {
        Output {
            json: self.json,
            quiet: self.quiet,
        }
    }

    /// Lets calls on datasets show how far they have come, until the handle is dropped.
    pub(crate) fn telling(&self, datasets: Datasets) -> Datasets {
        match self.output().progress() {
            Some(progress) => datasets.with_progress(progress),
            None => datasets,
        }
    }

    /// Lets calls on the repository show how far they have come, until the handle is dropped.
    pub(crate) fn watching(&self, repo: &Repo) -> Repo {
        let repo = repo.clone();
        match self.output().progress() {
            Some(progress) => repo.with_progress(progress),
            None => repo,
        }
    }

    pub(crate) async fn open(&self) -> Result<Workspace> {
        let workspace = Workspace::open(&self.repo).await?;
        Ok(self.opened.get_or_init(|| workspace).clone())
    }

    /// Lets what goes on in the background come to its end before the process ends.
    pub(crate) async fn settle(&self) {
        if let Some(workspace) = self.opened.get() {
            workspace.settle().await;
        }
    }

    /// Who acts: the option, else the login name, else `unknown`.
    pub(crate) fn actor(&self) -> Result<Actor> {
        let login = || {
            ["USER", "LOGNAME", "USERNAME"]
                .iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|name| !name.is_empty())
        };
        let name = self.actor.clone().or_else(login);
        Actor::new(name.as_deref().unwrap_or("unknown"))
    }

    /// Why it is done: the option, else what the command does.
    pub(crate) fn reason(&self, command: impl Into<String>) -> String {
        self.reason.clone().unwrap_or_else(|| command.into())
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(commands::init::Init),
    Verify(commands::verify::Verify),
    Repair(commands::repair::Repair),
    /// Delete what is of no use, and explain what is kept
    #[command(subcommand)]
    Gc(commands::gc::Gc),
    Push(commands::replicate::Push),
    Pull(commands::replicate::Pull),
    Log(commands::log::Log),
    History(commands::history::History),
    Changed(commands::changed::Changed),
    Stats(commands::stats::Stats),
    /// Snapshot datasets, compare them, find drift
    #[command(subcommand)]
    Data(commands::data::Data),
    /// Register models, promote them, find them
    #[command(subcommand)]
    Model(commands::model::Model),
    /// Record runs: trainings, evaluations, and what they measure
    #[command(subcommand)]
    Run(commands::run::Run),
    /// Publish prompts and render them
    #[command(subcommand)]
    Prompt(commands::prompt::Prompt),
    /// Capture environments and compare them
    #[command(subcommand)]
    Env(commands::env::Env),
    /// Bundle units, roll them out, roll them back
    #[command(subcommand)]
    Deploy(commands::deploy::Deploy),
    /// Show what a thing came from and what came from it
    #[command(subcommand)]
    Lineage(commands::lineage::Lineage),
    /// Try what a storage promises
    #[command(subcommand)]
    Storage(commands::storage::Storage),
}
