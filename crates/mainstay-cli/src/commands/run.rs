//! `mainstay run`

mod finish;
mod list;
mod log;
mod pull;
mod search;
mod series;
mod show;
mod start;

use clap::Subcommand;
use mainstay::{Clock as _, Result, SystemClock, Timestamp};

use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Run {
    Start(start::Start),
    Log(log::Log),
    Finish(finish::Finish),
    Show(show::Show),
    List(list::List),
    Search(search::Search),
    Series(series::Series),
    Pull(pull::Pull),
}

impl Run {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Start(command) => command.run(global).await,
            Self::Log(command) => command.run(global).await,
            Self::Finish(command) => command.run(global).await,
            Self::Show(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Search(command) => command.run(global).await,
            Self::Series(command) => command.run(global).await,
            Self::Pull(command) => command.run(global).await,
        }
    }
}

/// The time that was said, else now.
fn or_now(said: Option<Timestamp>) -> Timestamp {
    said.unwrap_or_else(|| SystemClock::default().now())
}
