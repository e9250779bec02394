//! `mainstay data`

mod branch;
mod chosen;
mod compact;
mod compare;
mod export;
mod files;
mod list;
mod merge;
mod part;
mod rows;
mod said;
mod sample;
mod show;
mod snapshot;
mod split;
mod tag;

use clap::Subcommand;
use mainstay::Result;

use super::moment;
use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Data {
    Snapshot(snapshot::Snapshot),
    Part(part::Part),
    Join(part::Join),
    Show(show::Show),
    Rows(rows::Rows),
    Files(files::Files),
    List(list::List),
    Log(list::Log),
    Diff(compare::Diff),
    Drift(compare::Drift),
    Export(export::Export),
    Tag(tag::Tag),
    Split(split::Split),
    Leaks(split::Leaks),
    Sample(sample::Sample),
    /// Begin branches, move them, list them
    #[command(subcommand)]
    Branch(branch::Branch),
    Merge(merge::Merge),
    Compact(compact::Compact),
}

impl Data {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Snapshot(command) => command.run(global).await,
            Self::Part(command) => command.run(global).await,
            Self::Join(command) => command.run(global).await,
            Self::Show(command) => command.run(global).await,
            Self::Rows(command) => command.run(global).await,
            Self::Files(command) => command.run(global).await,
            Self::List(command) => command.run(global).await,
            Self::Log(command) => command.run(global).await,
            Self::Diff(command) => command.run(global).await,
            Self::Drift(command) => command.run(global).await,
            Self::Export(command) => command.run(global).await,
            Self::Tag(command) => command.run(global).await,
            Self::Split(command) => command.run(global).await,
            Self::Leaks(command) => command.run(global).await,
            Self::Sample(command) => command.run(global).await,
            Self::Branch(command) => command.run(global).await,
            Self::Merge(command) => command.run(global).await,
            Self::Compact(command) => command.run(global).await,
        }
    }
}
