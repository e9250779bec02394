//! Reading reports, and the handle.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Error, Locator, NodeKind, NodeRef, Result, Timestamp};
use mainstay_repo::{Repo, Series, View};
use serde::Serialize;
use tracing::instrument;

use super::record::{Entry, EvalReport, FORMAT};
use super::report::{self, EvalSpec, Reported};
use crate::metric::Metric;
use crate::refs::held;

/// The evaluation reports of a repository. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Evaluations {
    repo: Repo,
}

impl Evaluations {
    /// Opens the reports of a repository.
    #[must_use]
    pub fn new(repo: Repo) -> Self {
        Self { repo }
    }

    /// Records what was measured of a version, in one log entry.
    ///
    /// # Errors
    /// * [`Invalid`](mainstay_core::ErrorKind::Invalid): the spec breaks a rule, or nothing was measured.
    /// * [`NotFound`](mainstay_core::ErrorKind::NotFound): the version, the data or the run is not in the
    ///   repository.
    ///
    /// # Complexity
    /// O(n) in the reports of the evaluation.
    #[instrument(skip_all, fields(subject = %spec.subject), err(level = "debug"))]
    pub async fn report(&self, spec: EvalSpec) -> Result<Reported> {
        report::report(&self.repo, &spec)
            .await
            .map_err(|error| error.operation("report evaluation"))
    }

    /// Reads a report in the newest view; see [`show`].
    #[instrument(skip_all, fields(eval = %locator), err(level = "debug"))]
    pub async fn show(&self, locator: &Locator) -> Result<EvalInfo> {
        self.repo.read(|view| show(view, locator)).await
    }
}

/// A report and when it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EvalInfo {
    /// The report.
    pub node: NodeRef,
    /// The digest of its record.
    pub digest: Digest,
    /// Its record.
    pub record: EvalReport,
    /// When it was reported.
    pub reported: Timestamp,
    /// The log entry that brought it.
    pub seq: u64,
}

/// Finds the report that `locator` means: by its number, by the digest of its record, or the latest.
///
/// # Errors
/// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is none,
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the locator is of another kind.
pub fn resolve(view: &View, locator: &Locator) -> Result<NodeRef> {
    if locator.kind.is_some_and(|kind| kind != NodeKind::Eval) {
        return Err(Error::invalid("not an evaluation").context("reference", locator));
    }
    let series = Series::new(NodeKind::Eval, locator.name.clone());
    Ok(series.resolve(view, &locator.selector, &[])?.0)
}

/// Reads one report.
///
/// # Errors
/// As [`resolve`].
pub fn show(view: &View, locator: &Locator) -> Result<EvalInfo> {
    info(view, resolve(view, locator)?)
}

/// Lists the reports on a version, the oldest first.
///
/// # Errors
/// [`Corrupt`](mainstay_core::ErrorKind::Corrupt) when a report cannot be read.
///
/// # Complexity
/// O(k log n) in its k reports.
pub fn reports(view: &View, subject: &NodeRef) -> Result<Vec<EvalInfo>> {
    let mut reports = Vec::new();
    for (path, state) in view.below(&Entry::prefix(subject))? {
        let value = held(path, state)?;
        value.check_format(Entry::KIND, u64::from(FORMAT))?;
        let entry: Entry = value.decode(Entry::KIND)?;
        reports.push(info(view, entry.eval)?);
    }
    reports.sort_by_key(|report| (report.seq, report.record.number));
    Ok(reports)
}

/// Returns the newest value of every metric that was reported of a version, with the log entry that
/// brought it: what gates lay over the metrics of its registration.
///
/// # Errors
/// As [`reports`].
pub fn metrics(view: &View, subject: &NodeRef) -> Result<BTreeMap<String, (Metric, u64)>> {
    let mut newest = BTreeMap::new();
    for report in reports(view, subject)? {
        let seq = report.seq;
        newest.extend(
            report
                .record
                .metrics
                .into_iter()
                .map(|(name, value)| (name, (value, seq))),
        );
    }
    Ok(newest)
}

fn info(view: &View, node: NodeRef) -> Result<EvalInfo> {
    let path = node.ref_path();
    let state = view
        .get(&path)?
        .ok_or_else(|| Error::not_found("eval", &node))?;
    let value = held(&path, state)?;
    Ok(EvalInfo {
        digest: value.record_digest()?,
        record: EvalReport::from_value(value)?,
        node,
        reported: state.time,
        seq: state.seq,
    })
}
