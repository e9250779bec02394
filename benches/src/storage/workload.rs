//! The work: the same on every backend.

mod commits;
mod listing;
mod many;
mod pack;
mod race;
mod small;
mod workspace;

use futures::future::BoxFuture;
use mainstay::Result;

use super::input::Input;
use super::metric::Measured;
use super::place::Place;
use super::scale::Scale;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Workload {
    Race,
    Commits,
    Small,
    Many,
    Listing,
    Pack,
    Workspace,
}

/// What one repetition works with.
#[derive(Debug)]
pub(super) struct Job<'a> {
    /// Empty before, cleared after.
    pub(super) place: Place,
    /// Where the workload was [prepared](Workload::prepare); left as it is.
    pub(super) prepared: Place,
    pub(super) scale: &'a Scale,
    pub(super) input: &'a Input,
}

impl Workload {
    pub(super) const ALL: [Self; 7] = [
        Self::Race,
        Self::Commits,
        Self::Small,
        Self::Many,
        Self::Listing,
        Self::Pack,
        Self::Workspace,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Race => "race",
            Self::Commits => "commits",
            Self::Small => "small",
            Self::Many => "many",
            Self::Listing => "listing",
            Self::Pack => "pack",
            Self::Workspace => "workspace",
        }
    }

    /// Writes what all repetitions read.
    pub(super) async fn prepare(self, place: &Place, scale: &Scale, input: &Input) -> Result<()> {
        match self {
            Self::Listing => listing::prepare(place, scale, input).await,
            _ => Ok(()),
        }
    }

    /// Does the work once.
    pub(super) fn run<'a>(self, job: &'a Job<'_>) -> BoxFuture<'a, Result<Vec<Measured>>> {
        match self {
            Self::Race => Box::pin(race::run(job)),
            Self::Commits => Box::pin(commits::run(job)),
            Self::Small => Box::pin(small::run(job)),
            Self::Many => Box::pin(many::run(job)),
            Self::Listing => Box::pin(listing::run(job)),
            Self::Pack => Box::pin(pack::run(job)),
            Self::Workspace => Box::pin(workspace::run(job)),
        }
    }
}
