//! `mainstay prompt`

mod diff;
mod label;
mod list;
mod publish;
mod render;
mod show;

use clap::Subcommand;
use mainstay::Result;

use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Prompt {
    Publish(publish::Publish),
    Render(render::Render),
    Show(show::Show),
    List(list::List),
    Log(list::Log),
    Diff(diff::Diff),
    Label(label::Label),
}

impl Prompt {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Publish(command) => command.run(global).await,
            Self::Render(command) => command.run(global).await,
            Self::Show(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Log(command) => command.run(global).await,
            Self::Diff(command) => command.run(global).await,
            Self::Label(command) => command.run(global).await,
        }
    }
}
