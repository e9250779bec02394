//! Beginning a run.

use mainstay_core::{Error, ErrorKind, Name, NodeKind, NodeRef, Result};
use mainstay_repo::{Committed, Expectation, Repo, Series, Step, Transaction, View};
use serde::Serialize;

use super::record::{FORMAT, Run, RunStatus};
use super::spec::RunSpec;
use crate::reproducibility::stored;

/// A run that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Started {
    /// The run.
    pub run: NodeRef,
    /// The log entry.
    pub seq: u64,
}

pub(super) async fn start(repo: &Repo, spec: &RunSpec) -> Result<Started> {
    spec.check()?;
    let committed = repo.transact(|view| plan(view, spec)).await?;
    Started::of(committed)
}

impl Started {
    /// Tells of a run that was planned and committed.
    pub(super) fn of((committed, run): (Option<Committed>, NodeRef)) -> Result<Self> {
        let lost = || Error::new(ErrorKind::Internal, "a run was planned and not committed");
        let seq = committed.ok_or_else(lost)?.seq;
        Ok(Self { run, seq })
    }
}

fn plan(view: &View, spec: &RunSpec) -> Result<Step<NodeRef>> {
    let record = draft(view, spec)?;
    let node = record.node();
    check_absent(view, &node)?;
    let mut transaction = Transaction::new(spec.actor.clone(), spec.reason.clone());
    transaction.set(node.ref_path(), record.to_value()?, Expectation::Absent);
    Ok(Step::Commit(transaction, node))
}

/// Refuses a run that exists.
pub(super) fn check_absent(view: &View, run: &NodeRef) -> Result<()> {
    if view.state(&run.ref_path())?.is_some() {
        return Err(Error::new(ErrorKind::AlreadyExists, "the run exists").context("run", run));
    }
    Ok(())
}

/// Makes the record of a run that begins.
pub(super) fn draft(view: &View, spec: &RunSpec) -> Result<Run> {
    let node = match &spec.id {
        Some(id) => NodeRef::new(NodeKind::Run, spec.experiment.clone(), id.clone()),
        None => next(view, &spec.experiment)?,
    };
    if let Some(environment) = &spec.environment {
        stored(view, environment)?;
    }
    let mut record = Run {
        format: FORMAT,
        experiment: node.name().clone(),
        id: node.version().clone(),
        status: RunStatus::Running,
        started: spec.started,
        ended: None,
        parameters: spec.parameters.clone(),
        seeds: spec.seeds.clone(),
        code: spec.code.clone(),
        environment: spec.environment.clone(),
        inputs: Vec::new(),
        tags: spec.tags.clone(),
        description: spec.description.clone(),
    };
    record.use_inputs(view, &spec.inputs)?;
    Ok(record)
}

/// Names the run after all that got a number.
///
/// Numbers are given out without gaps and are not used again, so the first free one is found by doubling
/// and halving: O(log n) look-ups.
fn next(view: &View, experiment: &Name) -> Result<NodeRef> {
    let series = Series::new(NodeKind::Run, experiment.clone());
    let is_taken = |number: u64| -> Result<bool> {
        let path = series.numbered(number).ref_path();
        Ok(view.state(&path)?.is_some())
    };
    let mut taken = 0;
    let mut free = 1;
    while is_taken(free)? {
        taken = free;
        free = free.saturating_mul(2);
    }
    while taken + 1 < free {
        let middle = taken.midpoint(free);
        if is_taken(middle)? {
            taken = middle;
        } else {
            free = middle;
        }
    }
    Ok(series.numbered(free))
}
