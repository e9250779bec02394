//! `mainstay model`

mod alias;
mod annotate;
mod approve;
mod card;
mod delete;
mod diff;
mod eval;
mod export;
mod import;
mod list;
mod policy;
mod promote;
mod pull;
mod register;
mod rename;
mod resolve;
mod rollback;
mod search;
mod serving;
mod show;
mod sign;
mod stage;
mod tensors;
mod upload;
mod verify;

use clap::Subcommand;
use mainstay::registry::Expect;
use mainstay::{Name, Result};

use crate::args::Expected;
use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Model {
    Register(Box<register::Register>),
    /// Files that come in several calls, before there is a version
    #[command(subcommand)]
    Upload(upload::Upload),
    Show(show::Show),
    Resolve(resolve::Resolve),
    Card(card::Card),
    List(list::List),
    Search(search::Search),
    Diff(diff::Diff),
    Tensors(tensors::Tensors),
    /// What was measured of a version after its registration
    #[command(subcommand)]
    Eval(eval::Eval),
    Promote(Box<promote::Promote>),
    Approve(approve::Approve),
    Withdraw(approve::Withdraw),
    /// The stages of a model, and what they ask for
    #[command(subcommand)]
    Policy(policy::Policy),
    Rollback(rollback::Rollback),
    Rename(rename::Rename),
    Stage(stage::Stage),
    Alias(alias::Alias),
    Annotate(annotate::Annotate),
    Serving(serving::Serving),
    Heartbeat(serving::Heartbeat),
    Sign(sign::Sign),
    Verify(verify::Verify),
    Pull(pull::Pull),
    /// Versions as other tools take them
    #[command(subcommand)]
    Export(export::Export),
    /// Runs and models that another tool kept
    #[command(subcommand)]
    Import(import::Import),
    Delete(delete::Delete),
}

impl Model {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Register(command) => Box::pin(command.run(global)).await,
            Self::Show(command) => command.run(global).await,
            Self::Resolve(command) => command.run(global).await,
            Self::Card(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Search(command) => command.run(global).await,
            Self::Diff(command) => command.run(global).await,
            Self::Tensors(command) => command.run(global).await,
            Self::Upload(command) => command.run(global).await,
            Self::Eval(command) => command.run(global).await,
            Self::Promote(command) => command.run(global).await,
            Self::Approve(command) => command.run(global).await,
            Self::Withdraw(command) => command.run(global).await,
            Self::Policy(command) => command.run(global).await,
            Self::Rollback(command) => command.run(global).await,
            Self::Rename(command) => command.run(global).await,
            Self::Stage(command) => command.run(global).await,
            Self::Alias(command) => command.run(global).await,
            Self::Annotate(command) => command.run(global).await,
            Self::Serving(command) => command.run(global).await,
            Self::Heartbeat(command) => command.run(global).await,
            Self::Sign(command) => command.run(global).await,
            Self::Verify(command) => command.run(global).await,
            Self::Pull(command) => command.run(global).await,
            Self::Export(command) => command.run(global).await,
            Self::Import(command) => command.run(global).await,
            Self::Delete(command) => command.run(global).await,
        }
    }
}

/// Tells that a model was named by what it is called no more.
fn note_name(global: &Global, said: &Name, called: &Name) {
    if said != called {
        let note = format!("{said} is called {called}");
        global.output().note(&note);
    }
}

/// What a stage or alias is expected to hold.
fn expectation(expected: Option<&Expected>) -> Result<Expect> {
    match expected {
        None => Ok(Expect::Any),
        Some(Expected::Nothing) => Ok(Expect::Nothing),
        Some(Expected::Version(version)) => {
            let parsed = version.as_str().parse();
            parsed.map(Expect::Version).map_err(|error| {
                mainstay::Error::invalid("not a semantic version, nor none")
                    .context("expected", version)
                    .with_source(error)
            })
        }
    }
}
