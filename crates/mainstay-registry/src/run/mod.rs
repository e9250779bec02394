//! Runs: trainings and evaluations while they go on, and what is left of them.
//!
//! A run belongs to an experiment and is a node of the lineage, `run:<experiment>@<id>`: what it used are
//! its edges, and a model version names the run that made it. While it runs, parameters, tags, inputs,
//! files and points of metrics are added to it, many at a time; once it has ended, nothing changes any more.
//!
//! ```
//! use std::sync::Arc;
//!
//! use mainstay_core::{Actor, Timestamp};
//! use mainstay_registry::run::{Point, RunEnd, RunLog, RunSpec, RunStatus, Runs};
//! use mainstay_repo::{Repo, RepoOptions};
//! use mainstay_store::MemoryStorage;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let repo = Repo::create(Arc::new(MemoryStorage::new()), RepoOptions::default()).await?;
//! let runs = Runs::new(repo.clone());
//! let ada = Actor::new("ada")?;
//! let begin: Timestamp = "2026-11-24T09:00:00Z".parse()?;
//!
//! let spec = RunSpec::new("churn".parse()?, begin, ada.clone(), "smaller rate")
//!     .with_parameter("rate", 0.01)
//!     .with_code("training".parse()?, "9f31c2a".parse()?);
//! let run = runs.start(spec).await?.run;
//! assert_eq!(run.to_string(), "run:churn@1");
//!
//! // One call, one log entry, for many points.
//! let mut log = RunLog::new(run.clone(), ada.clone(), "epoch 1");
//! for (step, loss) in [(0, 0.9), (1, 0.5), (2, f64::NAN)] {
//!     log = log.with_point("loss", Point::new(step, begin, loss));
//! }
//! runs.log(log).await?;
//! runs.end(RunEnd::new(run.clone(), RunStatus::Failed, begin, ada, "diverged")).await?;
//!
//! let view = repo.view().await?;
//! let early = runs.series(&view, &run, "loss", 0..2).await?;
//! assert_eq!((early.len(), early[1].value.value()), (2, 0.5));
//! # Ok::<(), mainstay_core::Error>(()) }).unwrap();
//! ```
//!
//! A run that is over already, as another tool recorded it, is recorded whole by [`Runs::record`], its
//! files with it.
//!
//! A run is not restarted once it has ended: begin another. It is not deleted either. The records are
//! described in `docs/formats/run.md`.

mod append;
mod cycle;
mod end;
mod files;
mod info;
mod log;
mod output;
mod past;
mod point;
mod record;
mod refs;
mod runs;
mod series;
mod spec;
mod start;

pub use end::RunEnd;
pub(crate) use info::metrics;
pub use info::{RunInfo, list, resolve, show};
pub use log::{Logged, RunLog};
pub use output::RunOutput;
pub(crate) use output::{output, outputs};
pub use past::PastRun;
pub use point::{MAX_BATCH_POINTS, Point, SeriesInfo};
pub use record::{Run, RunInput, RunStatus};
pub use runs::Runs;
pub use spec::RunSpec;
pub use start::Started;
