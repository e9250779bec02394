//! `mainstay storage`

mod check;

use clap::Subcommand;
use mainstay::Result;

use crate::cli::Global;
use crate::output::Answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Storage {
    Check(check::Check),
}

impl Storage {
    pub(crate) async fn run(self, global: &Global) -> Result<Answer> {
        match self {
            Self::Check(command) => command.run(global).await,
        }
    }
}
