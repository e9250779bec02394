//! Reading runs.

use std::collections::BTreeMap;

use mainstay_core::{Digest, Error, Locator, Name, NodeKind, NodeRef, Result, Selector};
use mainstay_repo::{Series, View};
use serde::Serialize;

use super::files::files;
use super::output::{RunOutput, outputs};
use super::point::SeriesInfo;
use super::record::Run;
use super::refs;
use crate::artifact::ArtifactFile;
use crate::refs::held;

/// A run and its series at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// The run.
    pub node: NodeRef,
    /// The digest of its record at that moment; it stays once the run has ended.
    pub digest: Digest,
    /// Its record.
    pub record: Run,
    /// Its series, without their points.
    pub metrics: BTreeMap<String, SeriesInfo>,
    /// What it made, checkpoints by their steps.
    pub outputs: Vec<RunOutput>,
    /// The files it left, but for those of models; sorted by path.
    pub files: Vec<ArtifactFile>,
    /// The log entry that changed the record last.
    pub seq: u64,
}

/// Finds the run that `locator` means: by its id, by the digest of its record, or the one that
/// began last.
///
/// # Errors
/// [`NotFound`](mainstay_core::ErrorKind::NotFound) when there is none,
/// [`Invalid`](mainstay_core::ErrorKind::Invalid) when the locator is of another kind.
///
/// # Complexity
/// O(log n) for an id, otherwise O(n) in the runs of the experiment.
pub fn resolve(view: &View, locator: &Locator) -> Result<NodeRef> {
    if locator.kind.is_some_and(|kind| kind != NodeKind::Run) {
        return Err(Error::invalid("not a run").context("reference", locator));
    }
    let series = Series::new(NodeKind::Run, locator.name.clone());
    if locator.selector != Selector::Latest {
        return Ok(series.resolve(view, &locator.selector, &[])?.0);
    }
    let mut latest = None;
    for (node, state) in series.versions(view)? {
        let run = Run::from_value(held(&node.ref_path(), state)?)?;
        latest = latest.max(Some((run.started, age(&node), node)));
    }
    let (.., node) = latest.ok_or_else(|| Error::not_found("run", locator))?;
    Ok(node)
}

/// Reads one run.
///
/// # Errors
/// As [`resolve`]; [`Incompatible`](mainstay_core::ErrorKind::Incompatible) when a newer Mainstay wrote
/// it.
///
/// # Complexity
/// O(log n) to find it by its id, and linear in its segments and at most 64 batches.
pub fn show(view: &View, locator: &Locator) -> Result<RunInfo> {
    let node = resolve(view, locator)?;
    info(view, node)
}

/// Lists the runs of an experiment, or of all: by experiment, the one that began first first.
///
/// # Errors
/// As [`show`].
///
/// # Complexity
/// O(n) in the refs of the runs.
pub fn list(view: &View, experiment: Option<&Name>) -> Result<Vec<RunInfo>> {
    let experiments = match experiment {
        Some(experiment) => vec![experiment.clone()],
        None => Series::names(view, NodeKind::Run)?,
    };
    let mut runs = Vec::new();
    for experiment in experiments {
        for (node, _) in Series::new(NodeKind::Run, experiment).versions(view)? {
            runs.push(info(view, node)?);
        }
    }
    runs.sort_by(|a, b| {
        let place = |run: &RunInfo| (run.record.started, age(&run.node));
        let experiments = a.record.experiment.cmp(&b.record.experiment);
        experiments.then_with(|| place(a).cmp(&place(b)))
    });
    Ok(runs)
}

/// Orders runs that began at one moment.
fn age(run: &NodeRef) -> (Option<u64>, Name) {
    (run.version().as_str().parse().ok(), run.version().clone())
}

/// Reads the series of a run, without their points.
pub(crate) fn metrics(view: &View, node: &NodeRef) -> Result<BTreeMap<String, SeriesInfo>> {
    let mut metrics: BTreeMap<String, SeriesInfo> = BTreeMap::new();
    let mut add = |key: &str, later: SeriesInfo| {
        let sum = metrics.get(key).map(|sum| sum.followed_by(later));
        metrics.insert(key.to_owned(), sum.unwrap_or(later));
    };
    for segment in refs::segments(view, node)? {
        segment.info().for_each(|(key, later)| add(key, later));
    }
    for (_, path, state) in refs::recent(view, node)? {
        let block = refs::block(path, state)?;
        block
            .info()
            .iter()
            .for_each(|(key, later)| add(key, *later));
    }
    Ok(metrics)
}

fn info(view: &View, node: NodeRef) -> Result<RunInfo> {
    let (record, state) = refs::run(view, &node)?;
    Ok(RunInfo {
        digest: held(&node.ref_path(), state)?.record_digest()?,
        outputs: outputs(view, &node)?,
        files: files(view, &node)?,
        metrics: metrics(view, &node)?,
        node,
        record,
        seq: state.seq,
    })
}
