//! `mainstay deploy`

mod channels;
mod control;
mod follow;
mod observe;
mod plan;
mod status;
mod steps;
mod switch;
mod unit;

use clap::Subcommand;
use mainstay::Result;

use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Deploy {
    /// Bundle a model, a prompt, data, an environment and code into one unit
    #[command(subcommand)]
    Unit(unit::Unit),
    /// Show what a switch of traffic would do, without doing it
    #[command(subcommand)]
    Plan(plan::Plan),
    Start(switch::Start),
    Put(switch::Put),
    Status(status::Status),
    Observe(observe::Observe),
    Promote(switch::Promote),
    Rollback(switch::Rollback),
    Pause(control::Pause),
    Resume(control::Resume),
    Follow(follow::Follow),
    List(channels::List),
    Log(channels::Log),
}

impl Deploy {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Unit(command) => command.run(global).await,
            Self::Plan(command) => command.run(global).await,
            Self::Start(command) => command.run(global).await,
            Self::Put(command) => command.run(global).await,
            Self::Status(command) => command.run(global).await,
            Self::Observe(command) => command.run(global).await,
            Self::Promote(command) => command.run(global).await,
            Self::Rollback(command) => command.run(global).await,
            Self::Pause(command) => command.run(global).await,
            Self::Resume(command) => command.run(global).await,
            Self::Follow(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Log(command) => command.run(global).await,
        }
    }
}
