//! The moment that a command sees.

use std::str::FromStr;

use clap::Args;
use mainstay::data::Datasets;
use mainstay::repo::View;
use mainstay::{Error, Result, Timestamp, Workspace};

/// Which state a command reads.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// See everything as of a log entry or a time, as 1204 or 2026-01-01T00:00:00Z
    #[arg(long = "at", value_name = "SEQ|TIME")]
    moment: Option<Moment>,
}

#[derive(Debug, Clone, Copy)]
enum Moment {
    Seq(u64),
    Time(Timestamp),
}

impl FromStr for Moment {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse()
            .map(Self::Seq)
            .or_else(|_| text.parse().map(Self::Time))
    }
}

impl At {
    /// Returns the datasets as of that moment.
    pub(crate) async fn datasets(&self, workspace: &Workspace) -> Result<Datasets> {
        let datasets = workspace.data();
        match self.moment {
            None => Ok(datasets),
            Some(Moment::Seq(seq)) => datasets.at(seq).await,
            Some(Moment::Time(time)) => datasets.as_of(time).await,
        }
    }

    /// Returns the view as of that moment, the newest unless one was said.
    pub(crate) async fn view(&self, workspace: &Workspace) -> Result<View> {
        let repo = workspace.repo();
        match self.moment {
            None => repo.view().await,
            Some(Moment::Seq(seq)) => repo.view_at(seq).await,
            Some(Moment::Time(time)) => repo.view_as_of(time).await,
        }
    }
}
