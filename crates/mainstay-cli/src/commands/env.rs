//! `mainstay env`

mod capture;
mod compare;
mod list;
mod show;

use clap::Subcommand;
use mainstay::Result;

use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Env {
    Capture(capture::Capture),
    Show(show::Show),
    List(list::List),
    Compare(compare::Compare),
}

impl Env {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Capture(command) => command.run(global).await,
            Self::Show(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Compare(command) => command.run(global).await,
        }
    }
}
