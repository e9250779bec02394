//! One module a command.

pub(crate) mod changed;
pub(crate) mod data;
pub(crate) mod deploy;
pub(crate) mod env;
pub(crate) mod gc;
pub(crate) mod history;
pub(crate) mod init;
pub(crate) mod lineage;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod moment;
mod paging;
pub(crate) mod prompt;
pub(crate) mod repair;
pub(crate) mod replicate;
pub(crate) mod run;
pub(crate) mod stats;
pub(crate) mod storage;
pub(crate) mod verify;

use mainstay::Result;
use mainstay::repo::View;
use mainstay::{Locator, NodeRef};

use crate::cli::{Cli, Command};
use crate::output::Answer;

/// Finds the version that a reference means in `view`.
async fn resolve(view: &View, reference: &Locator) -> Result<NodeRef> {
    view.read(|view| mainstay::resolve(view, reference)).await
}

/// Runs the command that was asked for.
pub(crate) async fn run(cli: Cli) -> Result<Answer> {
    let global = &cli.global;
    let answer = match cli.command {
        Command::Init(command) => command.run(global).await,
        Command::Verify(command) => command.run(global).await,
        Command::Repair(command) => command.run(global).await,
        Command::Gc(command) => command.run(global).await,
        Command::Push(command) => command.run(global).await,
        Command::Pull(command) => command.run(global).await,
        Command::Log(command) => command.run(global).await,
        Command::History(command) => command.run(global).await,
        Command::Changed(command) => command.run(global).await,
        Command::Stats(command) => command.run(global).await,
        Command::Data(command) => command.run(global).await,
        Command::Model(command) => command.run(global).await,
        Command::Run(command) => command.run(global).await,
        Command::Prompt(command) => command.run(global).await,
        Command::Env(command) => command.run(global).await,
        Command::Deploy(command) => command.run(global).await,
        Command::Lineage(command) => command.run(global).await,
        Command::Storage(command) => command.run(global).await,
    };
    global.settle().await;
    answer
}
