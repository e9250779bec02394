//! The handle: each verb lives in its own module.

use std::ops::RangeBounds;
use std::path::Path;

use mainstay_core::{Locator, Name, NodeRef, Result};
use mainstay_repo::{Repo, View};
use tracing::instrument;

use super::end::{self, RunEnd};
use super::files;
use super::info::{self, RunInfo};
use super::log::{self, Logged, RunLog};
use super::past::{self, PastRun};
use super::point::Point;
use super::series;
use super::spec::RunSpec;
use super::start::{self, Started};
use crate::artifact::ArtifactFile;
use crate::search::{Moment, Page, RunPage, RunQuery};

/// The runs of a repository. Cheap to clone.
///
/// Every change is one transaction, made on exactly the state it was decided on.
#[derive(Debug, Clone)]
pub struct Runs {
    repo: Repo,
}

impl Runs {
    /// Opens the runs of a repository.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self { repo }
    }

    /// Begins a run.
    ///
    /// # Errors
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): the spec breaks a rule.
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): an input or the environment is not in the
    ///   repository.
    /// * [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the experiment has a run of this id.
    ///
    /// # Complexity
    /// O(log n) in the runs of the experiment.
    #[instrument(skip_all, fields(experiment = %spec.experiment), err(level = "debug"))]
    pub async fn start(&self, spec: RunSpec) -> Result<Started> {
        start::start(&self.repo, &spec)
            .await
            .map_err(|error| error.operation("start run"))
    }

    /// Adds points, parameters, inputs, files and tags to a run that goes on; all of them or none.
    ///
    /// One log entry a call, however many points there are: log many at a time. Points of small batches
    /// stay beside the run until there are 64 of them; then, and where there are many, they go into a
    /// blob. Points are not looked at for repetition.
    ///
    /// # Errors
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): something breaks a limit, or an input came from
    ///   the run, or the paths of its files clash.
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): no such run, no such input, or a file is not on
    ///   the disk.
    /// * [`Conflict`](mainstay_core::ErrorKind::Conflict): the run has ended, or others logged to it
    ///   without a pause.
    /// * [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): a parameter has another value.
    #[instrument(skip_all, fields(run = %spec.run), err(level = "debug"))]
    pub async fn log(&self, spec: RunLog) -> Result<Logged> {
        log::log(&self.repo, &spec)
            .await
            .map_err(|error| error.operation("log to run"))
    }

    /// Ends a run. Saying again how it ended changes nothing.
    ///
    /// # Errors
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): the status is not an end, or the time is before
    ///   the beginning.
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): no such run.
    /// * [`Conflict`](mainstay_core::ErrorKind::Conflict): it has ended otherwise.
    #[instrument(skip_all, fields(run = %spec.run, status = %spec.status), err(level = "debug"))]
    pub async fn end(&self, spec: RunEnd) -> Result<Logged> {
        end::end(&self.repo, &spec)
            .await
            .map_err(|error| error.operation("end run"))
    }

    /// Records a run that is over, whole: its record, points and files, in one log entry.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Invalid`](mainstay_core::ErrorKind::Invalid) also when it ended before
    /// it began, or has not ended; [`NotFound`](mainstay_core::ErrorKind::NotFound) also when a file is not
    /// on the disk.
    ///
    /// # Complexity
    /// O(n) in the points and the bytes of the files.
    #[instrument(skip_all, fields(experiment = %past.spec.experiment), err(level = "debug"))]
    pub async fn record(&self, past: PastRun) -> Result<Started> {
        past::record(&self.repo, &past)
            .await
            .map_err(|error| error.operation("record run"))
    }

    /// Writes the files of a run to a directory that is absent or empty; all of them or none, each checked
    /// against its digest. Returns them.
    ///
    /// # Errors
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): no such run.
    /// * [`AlreadyExists`](mainstay_core::ErrorKind::AlreadyExists): the directory is not empty.
    /// * [`Corrupt`](mainstay_core::ErrorKind::Corrupt): stored bytes are missing or damaged.
    #[instrument(skip_all, fields(run = %locator), err(level = "debug"))]
    pub async fn pull(
        &self,
        view: &View,
        locator: &Locator,
        directory: &Path,
    ) -> Result<Vec<ArtifactFile>> {
        files::pull(&self.repo, view, locator, directory)
            .await
            .map_err(|error| error.operation("pull run files"))
    }

    /// Reads the points of one series within a range of steps, as `view` shows them: by step, of one
    /// step by time, of one time as they were logged. Empty when the run has no such series.
    ///
    /// Segments that hold nothing of the range are not read.
    ///
    /// # Errors
    /// [`NotFound`](mainstay_core::ErrorKind::NotFound): no such run;
    /// [`Corrupt`](mainstay_core::ErrorKind::Corrupt): stored points are missing or damaged.
    #[instrument(skip_all, fields(%run, key), err(level = "debug"))]
    pub async fn series(
        &self,
        view: &View,
        run: &NodeRef,
        key: &str,
        steps: impl RangeBounds<i64> + Send,
    ) -> Result<Vec<Point>> {
        let steps = (steps.start_bound().cloned(), steps.end_bound().cloned());
        series::series(&self.repo, view, run, key, steps)
            .await
            .map_err(|error| error.operation("read series"))
    }

    /// Reads a run in the newest view; see [`show`](super::show).
    #[instrument(skip_all, fields(run = %locator), err(level = "debug"))]
    pub async fn show(&self, locator: &Locator) -> Result<RunInfo> {
        self.repo.read(|view| info::show(view, locator)).await
    }

    /// Searches the newest view, or the one that the query asks about with `AS OF`; for a page after the first,
    /// the view that the first was of. See [`search`](mod@crate::search).
    ///
    /// # Errors
    /// As [`RunQuery::run`], and [`NotFound`](mainstay_core::ErrorKind::NotFound) when the log has no such
    /// entry.
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn search(&self, query: &str, page: &Page) -> Result<RunPage> {
        let query = RunQuery::parse(query)?;
        let moment = query.seq(page)?.map(Moment::Seq).or(query.moment());
        let view = Moment::view(moment, &self.repo).await?;
        view.read(|view| query.run_on(view, page)).await
    }

    /// Counts the runs that a search finds.
    ///
    /// # Errors
    /// As [`search`](Self::search).
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn count(&self, query: &str) -> Result<u64> {
        let query = RunQuery::parse(query)?;
        let view = Moment::view(query.moment(), &self.repo).await?;
        view.read(|view| query.count_on(view)).await
    }

    /// Lists runs of the newest view; see [`list`](super::list).
    #[instrument(skip_all, err(level = "debug"))]
    pub async fn list(&self, experiment: Option<&Name>) -> Result<Vec<RunInfo>> {
        self.repo.read(|view| info::list(view, experiment)).await
    }
}
